// The pieces of the GPU side's object.
#pragma once

#include <napi.h>

namespace spillway {

void AddGpuPool(Napi::Env env, Napi::Object gpu);
void AddGpuPreprocess(Napi::Env env, Napi::Object gpu);

}  // namespace spillway
