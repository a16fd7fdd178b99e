#include "gpu/compute.h"

#include <mutex>

#include "gpu/driver.h"
#include "gpu/library.h"

namespace spillway::cuda {
namespace {

// CUresult values after which the device, or our context on it, is of no use any more: unavailable,
// uncorrectable memory and link errors, contained errors, and all those (700 to 719) that leave the context
// broken. 999, unknown, is what a GPU gives that has fallen off the bus (Xid 79).
bool IsLost(Result result) {
  switch (result) {
    case 46:   // DEVICE_UNAVAILABLE
    case 214:  // ECC_UNCORRECTABLE
    case 220:  // NVLINK_UNCORRECTABLE
    case 226:  // CONTAINED
    case 700:  // ILLEGAL_ADDRESS
    case 702:  // LAUNCH_TIMEOUT
    case 709:  // CONTEXT_IS_DESTROYED
    case 710:  // ASSERT
    case 714:  // HARDWARE_STACK_ERROR
    case 715:  // ILLEGAL_INSTRUCTION
    case 716:  // MISALIGNED_ADDRESS
    case 717:  // INVALID_ADDRESS_SPACE
    case 718:  // INVALID_PC
    case 719:  // LAUNCH_FAILED
    case 999:  // UNKNOWN
      return true;
    default:
      return false;
  }
}

// Empty, or what the driver lacks.
std::string Load(Driver& driver) {
  DriverLibrary library("libcuda.so.1", "the CUDA driver");
  library.Require(&driver.cuGetErrorName, "cuGetErrorName");
  library.Require(&driver.cuDeviceGet, "cuDeviceGet");
  library.Require(&driver.cuDevicePrimaryCtxRetain, "cuDevicePrimaryCtxRetain");
  library.Require(&driver.cuCtxPushCurrent_v2, "cuCtxPushCurrent_v2");
  library.Require(&driver.cuCtxPopCurrent_v2, "cuCtxPopCurrent_v2");
  library.Require(&driver.cuCtxSynchronize, "cuCtxSynchronize");
  library.Require(&driver.cuMemPoolCreate, "cuMemPoolCreate");
  library.Require(&driver.cuMemPoolSetAttribute, "cuMemPoolSetAttribute");
  library.Require(&driver.cuMemPoolGetAttribute, "cuMemPoolGetAttribute");
  library.Require(&driver.cuMemPoolTrimTo, "cuMemPoolTrimTo");
  library.Require(&driver.cuMemAllocFromPoolAsync, "cuMemAllocFromPoolAsync");
  library.Require(&driver.cuMemFreeAsync, "cuMemFreeAsync");
  library.Require(&driver.cuMemHostAlloc, "cuMemHostAlloc");
  library.Require(&driver.cuMemFreeHost, "cuMemFreeHost");
  library.Require(&driver.cuMemcpyHtoDAsync_v2, "cuMemcpyHtoDAsync_v2");
  library.Require(&driver.cuMemcpyDtoHAsync_v2, "cuMemcpyDtoHAsync_v2");
  library.Require(&driver.cuStreamCreate, "cuStreamCreate");
  library.Require(&driver.cuStreamDestroy_v2, "cuStreamDestroy_v2");
  library.Require(&driver.cuStreamSynchronize, "cuStreamSynchronize");
  library.Require(&driver.cuEventCreate, "cuEventCreate");
  library.Require(&driver.cuEventDestroy_v2, "cuEventDestroy_v2");
  library.Require(&driver.cuEventRecord, "cuEventRecord");
  library.Require(&driver.cuEventSynchronize, "cuEventSynchronize");
  library.Require(&driver.cuEventElapsedTime, "cuEventElapsedTime");
  library.Require(&driver.cuModuleLoadData, "cuModuleLoadData");
  library.Require(&driver.cuModuleGetFunction, "cuModuleGetFunction");
  library.Require(&driver.cuLaunchKernel, "cuLaunchKernel");
  return library.problem();
}

}  // namespace

Status Driver::Open(const Driver** driver) {
  static std::mutex mutex;
  static Driver loaded;
  static bool open = false;
  std::lock_guard lock(mutex);
  if (!open) {
    if (GpuReport report = FindGpus(); report.devices.empty())
      return Status::Error("ERR_DEVICE_UNAVAILABLE", report.reason);
    if (std::string problem = Load(loaded); !problem.empty())
      return Status::Error("ERR_DEVICE_UNAVAILABLE", problem);
    open = true;
  }
  *driver = &loaded;
  return Status::Ok();
}

Status Driver::Check(const char* call, Result result) const {
  if (result == 0) return Status::Ok();
  const char* name = nullptr;
  if (cuGetErrorName(result, &name) != 0 || !name) name = "an unknown error";
  const char* code = result == 2                      ? "ERR_OUT_OF_MEMORY"
                     : IsLost(result)                 ? "ERR_DEVICE_LOST"
                     : result == 100 || result == 101 ? "ERR_DEVICE_UNAVAILABLE"
                                                      : "ERR_ENGINE";
  return Status::Error(code, std::string(call) + " failed with " + name);
}

}  // namespace spillway::cuda
