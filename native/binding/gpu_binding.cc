// The GPU side, as src/contract/gpu.ts types it: what there is, and in what state.
#include "binding/gpu_binding.h"

#include "binding/arguments.h"
#include "binding/parts.h"
#include "gpu/driver.h"
#include "gpu/kernels.h"
#include "gpu/nvml.h"
#include "gpu/vulkan.h"

namespace spillway {
namespace {

Napi::Value ReasonOrUndefined(Napi::Env env, const std::string& reason) {
  return reason.empty() ? env.Undefined() : Napi::String::New(env, reason);
}

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
  result["reason"] = ReasonOrUndefined(env, report.reason);
  return result;
}

Napi::Value VulkanDevices(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  VulkanReport report = FindVulkanDevices();
  auto devices = Napi::Array::New(env, report.devices.size());
  for (uint32_t i = 0; i < report.devices.size(); ++i) {
    auto row = Napi::Object::New(env);
    row["name"] = report.devices[i].name;
    row["software"] = report.devices[i].software;
    devices[i] = row;
  }
  auto result = Napi::Object::New(env);
  result["devices"] = devices;
  result["reason"] = ReasonOrUndefined(env, report.reason);
  return result;
}

// A row whose properties are left out where there is nothing to say.
struct Row {
  Napi::Env env;
  Napi::Object object = Napi::Object::New(env);

  template <typename T>
  void Set(const char* name, const std::optional<T>& value) {
    if (value) object[name] = static_cast<double>(*value);
  }
  void SetMemory(const std::optional<GpuMemory>& memory) {
    if (!memory) return;
    auto figures = Napi::Object::New(env);
    figures["totalBytes"] = static_cast<double>(memory->total);
    figures["reservedBytes"] = static_cast<double>(memory->reserved);
    figures["freeBytes"] = static_cast<double>(memory->free);
    figures["usedBytes"] = static_cast<double>(memory->used);
    object["memory"] = figures;
  }
};

Napi::Array ProcessRows(Napi::Env env, const std::vector<GpuProcess>& processes) {
  auto rows = Napi::Array::New(env, processes.size());
  for (uint32_t i = 0; i < processes.size(); ++i) {
    Row row{env};
    row.object["pid"] = processes[i].pid;
    row.Set("usedBytes", processes[i].used_bytes);
    rows[i] = row.object;
  }
  return rows;
}

Napi::Object StateRow(Napi::Env env, const GpuState& state) {
  Row row{env};
  row.object["index"] = state.index;
  row.object["uuid"] = state.uuid;
  row.object["name"] = state.name;
  row.SetMemory(state.memory);
  row.Set("utilisationPercent", state.gpu_percent);
  row.Set("memoryUtilisationPercent", state.memory_percent);
  row.Set("celsius", state.celsius);
  row.Set("slowdownCelsius", state.slowdown_celsius);
  row.Set("watts", state.watts);
  row.Set("wattsLimit", state.watts_limit);
  row.Set("graphicsMHz", state.graphics_mhz);
  row.Set("smMHz", state.sm_mhz);
  row.Set("memoryMHz", state.memory_mhz);
  if (state.throttle_reasons) {
    auto reasons = Napi::Array::New(env, state.throttle_reasons->size());
    for (uint32_t i = 0; i < reasons.Length(); ++i) reasons[i] = (*state.throttle_reasons)[i];
    row.object["throttleReasons"] = reasons;
  }
  if (state.processes) row.object["processes"] = ProcessRows(env, *state.processes);
  if (state.mig) row.object["mig"] = *state.mig;
  auto slices = Napi::Array::New(env, state.slices.size());
  for (uint32_t i = 0; i < state.slices.size(); ++i) {
    Row slice{env};
    slice.object["uuid"] = state.slices[i].uuid;
    slice.SetMemory(state.slices[i].memory);
    slices[i] = slice.object;
  }
  row.object["slices"] = slices;
  if (!state.status.ok())
    row.object["error"] = Napi::Value(env, Environment::Of(env).MakeError(state.status));
  return row.object;
}

Napi::Value Query(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  GpuStates states = QueryGpus();
  auto devices = Napi::Array::New(env, states.devices.size());
  for (uint32_t i = 0; i < states.devices.size(); ++i) devices[i] = StateRow(env, states.devices[i]);
  auto result = Napi::Object::New(env);
  result["driverVersion"] = ReasonOrUndefined(env, states.driver_version);
  result["devices"] = devices;
  result["reason"] = ReasonOrUndefined(env, states.reason);
  return result;
}

}  // namespace

void RegisterGpu(Napi::Env env, Napi::Object exports) {
  auto gpu = Napi::Object::New(env);
  gpu["vulkanDevices"] = Napi::Function::New(env, VulkanDevices, "vulkanDevices");
  gpu["devices"] = Napi::Function::New(env, Devices, "devices");
  gpu["query"] = Napi::Function::New(env, Query, "query");
  gpu["kernelBytes"] = static_cast<double>(KernelBytes());
  AddGpuPool(env, gpu);
  AddGpuPreprocess(env, gpu);
  exports["gpu"] = gpu;
}

}  // namespace spillway
