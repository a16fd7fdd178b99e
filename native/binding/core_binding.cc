// The addon's own life: error class, cores, trimming, stop.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "binding/arguments.h"
#include "binding/parts.h"
#include "core/cpu.h"
#include "memory/library_pages.h"
#include "memory/trim.h"

namespace spillway {
namespace {

void SetErrorClass(const Napi::CallbackInfo& info) {
  RequireShape(info, info.Length() == 1 && info[0].IsFunction(), "the error class");
  Environment::Of(info.Env()).SetErrorClass(info[0].As<Napi::Function>());
}

Napi::Value Cores(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), AvailableCores()); }

class TrimTask : public Task {
 public:
  void Execute() override { TrimHeap(); }
  napi_value Settle(napi_env env) override {
    napi_value undefined = nullptr;
    napi_get_undefined(env, &undefined);
    return undefined;
  }
};

Napi::Value Trim(const Napi::CallbackInfo& info) {
  return Environment::Of(info.Env()).Start(std::make_unique<TrimTask>());
}

void LimitHeapArenas(const Napi::CallbackInfo&) { LimitArenas(); }

// dropLibraryPages(prefix)
void DropPages(const Napi::CallbackInfo& info) {
  DropLibraryPages(StringArgument(info, 0, "the beginning of a library's file name").c_str());
}

// replaceProcess(file, arguments)
void ReplaceProcess(const Napi::CallbackInfo& info) {
  static constexpr char kShape[] = "a program and the list of its arguments";
  const std::string file = StringArgument(info, 0, kShape);
  RequireShape(info, info.Length() == 2 && info[1].IsArray(), kShape);
  auto array = info[1].As<Napi::Array>();
  std::vector<std::string> arguments;
  for (uint32_t i = 0; i < array.Length(); ++i) arguments.push_back(array.Get(i).ToString().Utf8Value());
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  // Node marks the standard streams to be closed, so that its children do not get them by accident.
  for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; ++stream) fcntl(stream, F_SETFD, 0);
  execv(file.c_str(), pointers.data());
  Environment::Of(info.Env()).Throw(Status::System(errno, "cannot start " + file));
}

void Stop(const Napi::CallbackInfo& info) { Environment::Of(info.Env()).Stop(); }

}  // namespace

void RegisterCore(Napi::Env env, Napi::Object exports) {
  exports["setErrorClass"] = Napi::Function::New(env, SetErrorClass, "setErrorClass");
  exports["cores"] = Napi::Function::New(env, Cores, "cores");
  exports["trim"] = Napi::Function::New(env, Trim, "trim");
  exports["limitArenas"] = Napi::Function::New(env, LimitHeapArenas, "limitArenas");
  exports["dropLibraryPages"] = Napi::Function::New(env, DropPages, "dropLibraryPages");
  exports["replaceProcess"] = Napi::Function::New(env, ReplaceProcess, "replaceProcess");
  exports["stop"] = Napi::Function::New(env, Stop, "stop");
}

}  // namespace spillway
