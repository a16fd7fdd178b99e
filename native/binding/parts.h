// One entry per part: each adds its objects and functions to the addon's exports.
#pragma once

#include <napi.h>

namespace spillway {

void RegisterCache(Napi::Env env, Napi::Object exports);
void RegisterCore(Napi::Env env, Napi::Object exports);
void RegisterGovernor(Napi::Env env, Napi::Object exports);
void RegisterInfer(Napi::Env env, Napi::Object exports);
void RegisterLedger(Napi::Env env, Napi::Object exports);
void RegisterRead(Napi::Env env, Napi::Object exports);
void RegisterScan(Napi::Env env, Napi::Object exports);
void RegisterGpu(Napi::Env env, Napi::Object exports);

}  // namespace spillway
