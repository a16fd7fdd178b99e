// Work on a device, off the JavaScript thread: a function to run, and one that makes its result.
#pragma once

#include <napi.h>

#include <atomic>
#include <functional>

#include "binding/environment.h"

namespace spillway {

class GpuTask : public Task {
 public:
  // `work` must not throw anything but a std::exception; it may look at `cancelled`. `settle` runs on the
  // JavaScript thread, raw Node-API calls only. `pin` is kept alive meanwhile.
  using Work = std::function<Status(const std::atomic<bool>& cancelled)>;
  using Result = std::function<napi_value(napi_env)>;

  GpuTask(Napi::Value pin, Work work, Result settle)
      : pin_(Napi::Persistent(pin.As<Napi::Object>())), work_(std::move(work)), settle_(std::move(settle)) {}

  void Execute() override {
    try {
      status = cancelled_ ? Status::Error("ERR_ABORTED", "the work was cancelled") : work_(cancelled_);
    } catch (const std::exception& error) {
      status = Status::Error("ERR_OUT_OF_MEMORY", error.what());
    }
  }
  void Cancel() override { cancelled_ = true; }
  napi_value Settle(napi_env env) override { return status.ok() ? settle_(env) : nullptr; }

 private:
  Napi::ObjectReference pin_;
  const Work work_;
  const Result settle_;
  std::atomic<bool> cancelled_{false};
};

// For work whose result is nothing.
inline napi_value SettleUndefined(napi_env env) {
  napi_value value = nullptr;
  napi_get_undefined(env, &value);
  return value;
}

}  // namespace spillway
