// The part of the CUDA driver that works on a device: contexts, memory, streams, kernels.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/status.h"

namespace spillway::cuda {

using Result = int;        // CUresult; 0 is success
using Device = int;        // CUdevice
using Address = uint64_t;  // CUdeviceptr
using Context = struct ContextOpaque*;
using Pool = struct PoolOpaque*;
using Stream = struct StreamOpaque*;
using Event = struct EventOpaque*;
using Module = struct ModuleOpaque*;
using Function = struct FunctionOpaque*;

// CUmemPoolProps.
struct PoolProperties {
  int allocation_type;  // 1: pinned, the only one there is
  int handle_types;     // 0: not shared with other processes
  int location_type;    // 1: a device
  int location_id;
  void* security;
  size_t max_size;
  unsigned char reserved[56];
};
static_assert(sizeof(PoolProperties) == 88);

// CUmemPool_attribute.
enum PoolAttribute { kReleaseThreshold = 4, kReservedBytes = 5, kUsedBytes = 7 };
inline constexpr unsigned kNonBlockingStream = 1;

// The suffixes are part of the names the driver exports.
struct Driver {
  Result (*cuGetErrorName)(Result, const char**);
  Result (*cuDeviceGet)(Device*, int ordinal);
  Result (*cuDevicePrimaryCtxRetain)(Context*, Device);
  Result (*cuCtxPushCurrent_v2)(Context);
  Result (*cuCtxPopCurrent_v2)(Context*);
  Result (*cuCtxSynchronize)();
  Result (*cuMemPoolCreate)(Pool*, const PoolProperties*);
  Result (*cuMemPoolSetAttribute)(Pool, int, void*);
  Result (*cuMemPoolGetAttribute)(Pool, int, void*);
  Result (*cuMemPoolTrimTo)(Pool, size_t);
  Result (*cuMemAllocFromPoolAsync)(Address*, size_t, Pool, Stream);
  Result (*cuMemFreeAsync)(Address, Stream);
  Result (*cuMemHostAlloc)(void**, size_t, unsigned flags);
  Result (*cuMemFreeHost)(void*);
  Result (*cuMemcpyHtoDAsync_v2)(Address, const void*, size_t, Stream);
  Result (*cuMemcpyDtoHAsync_v2)(void*, Address, size_t, Stream);
  Result (*cuStreamCreate)(Stream*, unsigned flags);
  Result (*cuStreamDestroy_v2)(Stream);
  Result (*cuStreamSynchronize)(Stream);
  Result (*cuEventCreate)(Event*, unsigned flags);
  Result (*cuEventDestroy_v2)(Event);
  Result (*cuEventRecord)(Event, Stream);
  Result (*cuEventSynchronize)(Event);
  Result (*cuEventElapsedTime)(float* milliseconds, Event, Event);
  Result (*cuModuleLoadData)(Module*, const void*);
  Result (*cuModuleGetFunction)(Function*, Module, const char*);
  Result (*cuLaunchKernel)(Function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                           unsigned block_y, unsigned block_z, unsigned shared_bytes, Stream,
                           void** arguments, void** extra);

  // Looks the entries up and initialises the driver; the first call can take some 100 ms.
  // ERR_DEVICE_UNAVAILABLE says what is missing, and the next call looks again.
  static Status Open(const Driver** driver);

  // ERR_OUT_OF_MEMORY, ERR_DEVICE_LOST (the device is gone, or our context on it can no longer be used),
  // ERR_DEVICE_UNAVAILABLE or ERR_ENGINE; ok for 0.
  Status Check(const char* call, Result result) const;
};

// Makes a context the current one of this thread for as long as it lives.
class Current {
 public:
  Current(const Driver& driver, Context context)
      : driver_(driver), pushed_(driver.cuCtxPushCurrent_v2(context) == 0) {}
  ~Current() {
    Context popped;
    if (pushed_) driver_.cuCtxPopCurrent_v2(&popped);
  }
  Current(const Current&) = delete;
  Current& operator=(const Current&) = delete;

 private:
  const Driver& driver_;
  const bool pushed_;
};

}  // namespace spillway::cuda
