// What the NVIDIA management library says of the GPUs of this machine: all of them, whatever
// CUDA_VISIBLE_DEVICES says.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/status.h"

namespace spillway {

struct GpuMemory {
  uint64_t total, reserved, free, used;  // bytes; what the driver reserves is not part of `used`
};

struct GpuProcess {
  uint32_t pid;
  std::optional<uint64_t> used_bytes;
};

// A slice of a GPU that is partitioned (MIG), itself a device to CUDA.
struct GpuSlice {
  std::string uuid;  // MIG-…
  std::optional<GpuMemory> memory;
};

// What a device or its driver does not support stays empty.
struct GpuState {
  uint32_t index;
  std::string uuid, name;  // empty where even they cannot be read
  std::optional<GpuMemory> memory;
  std::optional<uint32_t> gpu_percent, memory_percent;  // of the last sample period with work in it
  std::optional<uint32_t> celsius, slowdown_celsius;
  std::optional<double> watts, watts_limit;
  std::optional<uint32_t> graphics_mhz, sm_mhz, memory_mhz;
  std::optional<std::vector<std::string>> throttle_reasons;
  std::optional<std::vector<GpuProcess>> processes;
  std::optional<bool> mig;
  std::vector<GpuSlice> slices;
  Status status;  // ERR_DEVICE_LOST where the GPU is gone from the bus; then nothing behind it was asked
};

struct GpuStates {
  std::string driver_version;
  std::vector<GpuState> devices;
  std::string reason;  // why there are none
};

// Takes some milliseconds a device. The first call initialises the library; one that is missing is looked for
// again.
GpuStates QueryGpus();

}  // namespace spillway
