// Work that leaves the JavaScript thread: executed on a thread of ours, settled as a promise.
#pragma once

#include <node_api.h>

#include "core/status.h"

namespace spillway {

class Task {
 public:
  virtual ~Task() = default;
  // On a thread of ours. Never throws: a failure is left in `status`.
  virtual void Execute() = 0;
  // From any thread, also before Execute began: makes Execute return soon.
  virtual void Cancel() {}
  // On the JavaScript thread, raw Node-API calls only: the value to resolve with, or nullptr when the
  // environment refuses to make one (it is shutting down).
  virtual napi_value Settle(napi_env env) = 0;

  Status status;
};

}  // namespace spillway
