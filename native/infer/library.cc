#include "infer/library.h"

#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <cstring>
#include <mutex>

#include "core/never_destroyed.h"
#include "infer/allocator.h"
#include "infer/device_errors.h"
#include "memory/trim.h"

namespace spillway {
namespace ort {
const void* const* table = nullptr;
}

namespace {

struct ApiBase {
  const void* const* (*GetApi)(uint32_t version);
  const char* (*GetVersionString)();
};

std::mutex open_mutex;

// Every other message also arrives as a status, or is a warning nobody asked for.
void Log(void*, ort::Severity, const char*, const char*, const char*, const char* message) {
  NoteDeviceError(message);
}

int TakeIfOnnxRuntime(dl_phdr_info* info, size_t, void* found) {
  const char* slash = std::strrchr(info->dlpi_name, '/');
  const char* name = slash ? slash + 1 : info->dlpi_name;
  if (std::strncmp(name, "libonnxruntime.so", 17) != 0) return 0;
  *static_cast<std::string*>(found) = info->dlpi_name;
  return 1;
}

std::string MappedLibrary() {
  std::string path;
  dl_iterate_phdr(TakeIfOnnxRuntime, &path);
  return path;
}

}  // namespace

Status CheckOrt(ort::Failure* failure, const char* code) {
  if (!failure) return Status::Ok();
  ort::OwnedFailure owned(failure);
  std::string message = ort::GetErrorMessage(failure);
  std::replace(message.begin(), message.end(), '\n', ' ');
  return Status::Error(code, std::move(message));
}

InferLibrary& InferLibrary::Global() {
  static NeverDestroyed<InferLibrary> library;
  return *library;
}

Status InferLibrary::Open(const std::string& path) {
  std::lock_guard lock(open_mutex);
  if (is_open()) return Status::Ok();
  if (Status status = Load(path); !status.ok()) return status;
  return CreateEnvironment();
}

Status InferLibrary::Load(const std::string& path) {
  std::string mapped = MappedLibrary();
  const std::string& chosen = mapped.empty() ? path : mapped;
  void* library = dlopen(chosen.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) return Status::Error("ERR_ENGINE", std::string("cannot load ONNX Runtime: ") + dlerror());
  auto base = reinterpret_cast<const ApiBase* (*)()>(dlsym(library, "OrtGetApiBase"));
  if (!base) return Status::Error("ERR_ENGINE", chosen + " is not ONNX Runtime: it has no OrtGetApiBase");
  version_ = base()->GetVersionString();
  // Asked of the string first: GetApi prints to standard error when it has to refuse.
  size_t dot = version_.find('.');
  bool recent = dot != std::string::npos && (version_.compare(0, dot, "1") != 0 ||
                                             std::atoi(version_.c_str() + dot + 1) >= int{ort::kVersion});
  const void* const* table = recent ? base()->GetApi(ort::kVersion) : nullptr;
  if (!table)
    return Status::Error("ERR_ENGINE", "expected ONNX Runtime 1." + std::to_string(ort::kVersion) +
                                           " or newer but " + chosen + " is " + version_);
  ort::table = table;
  api_base_ = base();
  path_ = chosen;
  reused_ = !mapped.empty();
  return Status::Ok();
}

Status InferLibrary::CreateEnvironment() {
  ort::Environment* environment = nullptr;
  // If the stock binding made the environment before us, this is the same one, with its logger.
  Status status =
      CheckOrt(ort::CreateEnvWithCustomLogger(Log, nullptr, ort::kError, "spillway", &environment));
  if (!status.ok()) return status;
  status = RegisterChargingAllocator(environment);
  MapLargeBlocks();
  if (status.ok()) environment_ = environment;
  return status;
}

}  // namespace spillway
