// Registration, nothing else: opens the state of this environment and lets each part add its exports.
#include <napi.h>

#include "binding/environment.h"
#include "binding/parts.h"

static Napi::Object Init(Napi::Env env, Napi::Object exports) {
  spillway::Environment::Open(env);
  spillway::RegisterCache(env, exports);
  spillway::RegisterCore(env, exports);
  spillway::RegisterGovernor(env, exports);
  spillway::RegisterInfer(env, exports);
  spillway::RegisterLedger(env, exports);
  spillway::RegisterRead(env, exports);
  spillway::RegisterScan(env, exports);
  spillway::RegisterGpu(env, exports);
  return exports;
}

NODE_API_MODULE(spillway, Init)
