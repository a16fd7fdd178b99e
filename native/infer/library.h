// The ONNX Runtime library and its environment: one of each per process, never released.
#pragma once

#include <string>

#include "core/status.h"
#include "infer/ort_api.h"

namespace spillway {

class InferLibrary {
 public:
  static InferLibrary& Global();

  // Loads the library at `path`, or takes the one that is mapped already: two versions in one process collide
  // on their symbol versions. ERR_ENGINE where neither can serve. Repeating it is harmless; a failure may be
  // retried.
  Status Open(const std::string& path);

  // What follows is set by the first successful Open() and constant from then on.
  bool is_open() const { return environment_ != nullptr; }
  const std::string& version() const { return version_; }
  const std::string& path() const { return path_; }
  bool reused() const { return reused_; }
  ort::Environment* environment() const { return environment_; }
  // What OrtGetApiBase() returns, for libraries of operators.
  const void* api_base() const { return api_base_; }

 private:
  Status Load(const std::string& path);
  Status CreateEnvironment();

  std::string version_, path_;
  bool reused_ = false;
  const void* api_base_ = nullptr;
  ort::Environment* environment_ = nullptr;
};

// Success, or `code` with ONNX Runtime's message on one line. Takes ownership of `failure`.
Status CheckOrt(ort::Failure* failure, const char* code = "ERR_ENGINE");

// Runs a list of fallible steps in order; the first failure ends it.
#define RETURN_IF_FAILED(expression)                               \
  do {                                                             \
    if (Status failed = (expression); !failed.ok()) return failed; \
  } while (false)

}  // namespace spillway
