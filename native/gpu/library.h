// A library of a driver, looked for at run time.
#pragma once

#include <dlfcn.h>

#include <string>

namespace spillway {

// Never closed: these libraries keep threads.
class DriverLibrary {
 public:
  // `what` names it in messages: "the CUDA driver".
  DriverLibrary(const char* file, const char* what)
      : what_(what), handle_(dlopen(file, RTLD_NOW | RTLD_LOCAL)) {
    if (handle_) return;
    const char* detail = dlerror();
    problem_ = std::string(what) + " is not installed (" + (detail ? detail : file) + ")";
  }

  template <typename Entry>
  void Require(Entry* entry, const char* name) {
    Find(entry, name);
    if (handle_ && !*entry && problem_.empty()) problem_ = std::string(what_) + " lacks " + name;
  }
  // Null where an older driver does not have it.
  template <typename Entry>
  void Find(Entry* entry, const char* name) {
    *entry = handle_ ? reinterpret_cast<Entry>(dlsym(handle_, name)) : nullptr;
  }

  // What is missing, or an empty string.
  const std::string& problem() const { return problem_; }

 private:
  const char* const what_;
  void* const handle_;
  std::string problem_;
};

}  // namespace spillway
