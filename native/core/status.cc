#include "core/status.h"

#include <cstring>

namespace spillway {

std::string ErrnoName(int error_number) {
  const char* name = strerrorname_np(error_number);
  return name ? name : "E" + std::to_string(error_number);
}

Status Status::System(int error_number, const std::string& what) {
  return Error(ErrnoName(error_number), what + ": " + strerrordesc_np(error_number));
}

}  // namespace spillway
