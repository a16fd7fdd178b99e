// The GPU side, as src/contract/gpu.ts types it.
#include "binding/arguments.h"
#include "binding/parts.h"
#include "gpu/driver.h"
#include "gpu/kernels.h"

namespace spillway {
namespace {

Napi::Value Devices(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  GpuReport report = FindGpus();
  auto devices = Napi::Array::New(env, report.devices.size());
  for (uint32_t i = 0; i < report.devices.size(); ++i) {
    const GpuDevice& device = report.devices[i];
    auto row = Napi::Object::New(env);
    row["id"] = device.id;
    row["name"] = device.name;
    row["uuid"] = device.uuid;
    row["totalBytes"] = static_cast<double>(device.total_bytes);
    row["computeCapability"] = device.compute_capability;
    devices[i] = row;
  }
  auto result = Napi::Object::New(env);
  result["devices"] = devices;
  result["reason"] = report.reason.empty() ? env.Undefined() : Napi::String::New(env, report.reason);
  return result;
}

}  // namespace

void RegisterGpu(Napi::Env env, Napi::Object exports) {
  auto gpu = Napi::Object::New(env);
  gpu["devices"] = Napi::Function::New(env, Devices, "devices");
  gpu["kernelBytes"] = static_cast<double>(KernelBytes());
  exports["gpu"] = gpu;
}

}  // namespace spillway
