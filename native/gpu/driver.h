// The CUDA driver, found at run time: no CUDA package is needed to build or to load the addon.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace spillway {

struct GpuDevice {
  int id;
  std::string name;
  std::string uuid;  // as nvidia-smi writes it: GPU-xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx, or MIG-…
  uint64_t total_bytes;
  std::string compute_capability;  // "9.0"
};

struct GpuReport {
  std::vector<GpuDevice> devices;
  std::string reason;  // why there is none; empty where there are devices
};

// Asks the driver. The first call initialises it, which can take some 100 ms; no context is created and no
// device memory taken. A driver that is missing is looked for again by the next call.
GpuReport FindGpus();

}  // namespace spillway
