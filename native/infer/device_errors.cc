#include "infer/device_errors.h"

#include <cstring>
#include <mutex>
#include <utility>

namespace spillway {
namespace {

constexpr char kError[] = "WebGPU device error(";

std::mutex mutex;
std::string first;

}  // namespace

void NoteDeviceError(const char* message) {
  if (std::strncmp(message, kError, sizeof(kError) - 1) != 0) return;
  const char* end = std::strchr(message, '\n');
  std::lock_guard lock(mutex);
  if (first.empty()) first.assign(message, end ? end - message : std::strlen(message));
}

std::string TakeDeviceError() {
  std::lock_guard lock(mutex);
  return std::exchange(first, {});
}

}  // namespace spillway
