#include "gpu/driver.h"

#include <cstdio>
#include <cstring>
#include <mutex>

#include "gpu/library.h"

namespace spillway {
namespace {

using Result = int;  // CUresult; 0 is success
using Device = int;  // CUdevice
struct Uuid {
  unsigned char bytes[16];
};

// CUdevice_attribute, from the driver API's reference.
constexpr int kComputeCapabilityMajor = 75, kComputeCapabilityMinor = 76;

// The entries we need; the suffixes are part of the names the driver has exported since CUDA 3.2.
struct Driver {
  Result (*cuInit)(unsigned flags);
  Result (*cuDeviceGetCount)(int* count);
  Result (*cuDeviceGet)(Device* device, int ordinal);
  Result (*cuDeviceGetName)(char* name, int length, Device device);
  Result (*cuDeviceGetUuid)(Uuid* uuid, Device device);
  Result (*cuDeviceGetUuid_v2)(Uuid* uuid,
                               Device device);  // may be null; of a MIG slice its own, not its GPU's
  Result (*cuDeviceTotalMem_v2)(size_t* bytes, Device device);
  Result (*cuDeviceGetAttribute)(int* value, int attribute, Device device);
  Result (*cuGetErrorName)(Result result, const char** name);

  // Returns what is missing, or an empty string.
  std::string Load() {
    DriverLibrary library("libcuda.so.1", "the CUDA driver");
    library.Require(&cuInit, "cuInit");
    library.Require(&cuDeviceGetCount, "cuDeviceGetCount");
    library.Require(&cuDeviceGet, "cuDeviceGet");
    library.Require(&cuDeviceGetName, "cuDeviceGetName");
    library.Require(&cuDeviceGetUuid, "cuDeviceGetUuid");
    library.Require(&cuDeviceTotalMem_v2, "cuDeviceTotalMem_v2");
    library.Require(&cuDeviceGetAttribute, "cuDeviceGetAttribute");
    library.Require(&cuGetErrorName, "cuGetErrorName");
    library.Find(&cuDeviceGetUuid_v2, "cuDeviceGetUuid_v2");
    return library.problem();
  }

  std::string Failure(const char* call, Result result) const {
    const char* name = nullptr;
    if (cuGetErrorName(result, &name) != 0 || !name) name = "an unknown error";
    return std::string(call) + " failed with " + name;
  }

  Result Describe(int ordinal, GpuDevice* out) const {
    Device device;
    char name[256] = "";
    Uuid uuid, own;
    size_t bytes;
    int major, minor;
    Result result = cuDeviceGet(&device, ordinal);
    if (result == 0) result = cuDeviceGetName(name, sizeof(name), device);
    if (result == 0) result = cuDeviceGetUuid(&uuid, device);
    if (result == 0) result = cuDeviceTotalMem_v2(&bytes, device);
    if (result == 0) result = cuDeviceGetAttribute(&major, kComputeCapabilityMajor, device);
    if (result == 0) result = cuDeviceGetAttribute(&minor, kComputeCapabilityMinor, device);
    if (result != 0) return result;
    const bool slice = cuDeviceGetUuid_v2 && cuDeviceGetUuid_v2(&own, device) == 0 &&
                       std::memcmp(&own, &uuid, sizeof(uuid)) != 0;
    if (slice) uuid = own;
    std::string text = slice ? "MIG" : "GPU";
    for (int i = 0; i < 16; ++i) {
      char hex[4];
      const bool group = i == 0 || i == 4 || i == 6 || i == 8 || i == 10;
      std::snprintf(hex, sizeof(hex), group ? "-%02x" : "%02x", uuid.bytes[i]);
      text += hex;
    }
    *out = {ordinal, name, text, bytes, std::to_string(major) + "." + std::to_string(minor)};
    return 0;
  }
};

}  // namespace

GpuReport FindGpus() {
  static std::mutex mutex;
  static Driver driver;
  static bool loaded = false;
  std::lock_guard lock(mutex);
  GpuReport report;
  if (!loaded) {
    report.reason = driver.Load();
    if (!report.reason.empty()) return report;
    loaded = true;
  }
  int count = 0;
  if (Result result = driver.cuInit(0); result != 0) {
    report.reason = driver.Failure("cuInit", result);
  } else if (result = driver.cuDeviceGetCount(&count); result != 0) {
    report.reason = driver.Failure("cuDeviceGetCount", result);
  } else if (count == 0) {
    report.reason = "the CUDA driver shows no device";
  }
  for (int ordinal = 0; ordinal < count; ++ordinal) {
    GpuDevice device;
    if (Result result = driver.Describe(ordinal, &device); result == 0)
      report.devices.push_back(std::move(device));
    else if (report.devices.empty())
      report.reason = driver.Failure(("describing device " + std::to_string(ordinal)).c_str(), result);
  }
  if (!report.devices.empty()) report.reason.clear();
  return report;
}

}  // namespace spillway
