#include "gpu/nvml.h"

#include <mutex>

#include "core/never_destroyed.h"
#include "gpu/library.h"

namespace spillway {
namespace {

using Result = int;             // nvmlReturn_t; 0 is success
using Device = struct Opaque*;  // nvmlDevice_t
constexpr Result kNotSupported = 3, kNoPermission = 4, kInsufficientSize = 7, kNotFound = 6, kGpuIsLost = 15,
                 kResetRequired = 16;
constexpr uint64_t kNotAvailable = ~uint64_t{0};

// nvmlMemory_v2_t.
struct Memory {
  unsigned version = sizeof(Memory) | 2u << 24;
  unsigned long long total, reserved, free, used;
};
// nvmlUtilization_t.
struct Utilisation {
  unsigned gpu, memory;
};
// nvmlProcessInfo_v2_t, which nvmlDeviceGetComputeRunningProcesses_v3 fills.
struct Process {
  unsigned pid;
  unsigned long long used;
  unsigned gpu_instance, compute_instance;
};

// nvmlTemperatureThresholds_t: where the device begins to slow itself down.
constexpr int kSlowdown = 1;

enum ClockType { kGraphics, kSm, kMemoryClock };

// nvmlClocksThrottleReason…, from the library's reference; the rest of the bits are reserved.
constexpr struct {
  uint64_t bit;
  const char* name;
} kReasons[] = {{0x1, "idle"},
                {0x2, "applications-clocks"},
                {0x4, "power-cap"},
                {0x8, "hardware-slowdown"},
                {0x10, "sync-boost"},
                {0x20, "thermal"},
                {0x40, "hardware-thermal"},
                {0x80, "power-brake"},
                {0x100, "display-clocks"}};

class Nvml {
 public:
  // Empty, or why the library cannot be asked.
  std::string Open() {
    if (open_) return {};
    DriverLibrary library("libnvidia-ml.so.1", "the NVIDIA management library");
    library.Require(&nvmlInit_v2, "nvmlInit_v2");
    library.Require(&nvmlErrorString, "nvmlErrorString");
    library.Require(&nvmlSystemGetDriverVersion, "nvmlSystemGetDriverVersion");
    library.Require(&nvmlDeviceGetCount_v2, "nvmlDeviceGetCount_v2");
    library.Require(&nvmlDeviceGetHandleByIndex_v2, "nvmlDeviceGetHandleByIndex_v2");
    library.Require(&nvmlDeviceGetName, "nvmlDeviceGetName");
    library.Require(&nvmlDeviceGetUUID, "nvmlDeviceGetUUID");
    library.Find(&nvmlDeviceGetMemoryInfo_v2, "nvmlDeviceGetMemoryInfo_v2");
    library.Find(&nvmlDeviceGetUtilizationRates, "nvmlDeviceGetUtilizationRates");
    library.Find(&nvmlDeviceGetTemperature, "nvmlDeviceGetTemperature");
    library.Find(&nvmlDeviceGetTemperatureThreshold, "nvmlDeviceGetTemperatureThreshold");
    library.Find(&nvmlDeviceGetPowerUsage, "nvmlDeviceGetPowerUsage");
    library.Find(&nvmlDeviceGetEnforcedPowerLimit, "nvmlDeviceGetEnforcedPowerLimit");
    library.Find(&nvmlDeviceGetClockInfo, "nvmlDeviceGetClockInfo");
    library.Find(&nvmlDeviceGetThrottleReasons, "nvmlDeviceGetCurrentClocksEventReasons");
    // The name before driver 535.
    if (!nvmlDeviceGetThrottleReasons)
      library.Find(&nvmlDeviceGetThrottleReasons, "nvmlDeviceGetCurrentClocksThrottleReasons");
    library.Find(&nvmlDeviceGetComputeRunningProcesses_v3, "nvmlDeviceGetComputeRunningProcesses_v3");
    library.Find(&nvmlDeviceGetMigMode, "nvmlDeviceGetMigMode");
    library.Find(&nvmlDeviceGetMaxMigDeviceCount, "nvmlDeviceGetMaxMigDeviceCount");
    library.Find(&nvmlDeviceGetMigDeviceHandleByIndex, "nvmlDeviceGetMigDeviceHandleByIndex");
    if (!library.problem().empty()) return library.problem();
    if (Result result = nvmlInit_v2(); result != 0) return Failure("nvmlInit", result);
    open_ = true;
    return {};
  }

  std::string Failure(const char* call, Result result) const {
    const char* text = nvmlErrorString(result);
    return std::string(call) + " failed: " + (text ? text : "unknown error");
  }

  GpuStates Query() {
    GpuStates states;
    states.reason = Open();
    if (!states.reason.empty()) return states;
    char version[96] = "";
    if (nvmlSystemGetDriverVersion(version, sizeof(version)) == 0) states.driver_version = version;
    unsigned count = 0;
    if (Result result = nvmlDeviceGetCount_v2(&count); result != 0)
      states.reason = Failure("nvmlDeviceGetCount", result);
    else if (count == 0)
      states.reason = "the NVIDIA management library shows no device";
    for (unsigned index = 0; index < count; ++index) states.devices.push_back(Describe(index));
    return states;
  }

 private:
  // Collects the answers of one device, up to the first that means that there is no device any more.
  struct Inquiry {
    const Nvml& nvml;
    Status& status;

    // True where the call is there and succeeded.
    template <typename Call, typename... Arguments>
    bool Ask(const char* name, Call call, Arguments... arguments) {
      return call && status.ok() && Judge(name, call(arguments...));
    }
    bool Judge(const char* name, Result result) {
      if (result == 0) return true;
      if (result == kGpuIsLost || result == kResetRequired)
        status = Status::Error("ERR_DEVICE_LOST", nvml.Failure(name, result));
      else if (result != kNotSupported && result != kNoPermission && result != kNotFound)
        status = Status::Error("ERR_DEVICE_UNAVAILABLE", nvml.Failure(name, result));
      return false;
    }
    template <typename Call, typename... Arguments>
    std::optional<uint32_t> Number(const char* name, Call call, Device device, Arguments... arguments) {
      unsigned value = 0;
      return Ask(name, call, device, arguments..., &value) ? std::optional<uint32_t>(value) : std::nullopt;
    }
  };

  GpuState Describe(unsigned index) const {
    GpuState state{};
    state.index = index;
    Inquiry inquiry{*this, state.status};
    Device device;
    if (!inquiry.Ask("nvmlDeviceGetHandleByIndex", nvmlDeviceGetHandleByIndex_v2, index, &device)) {
      if (state.status.ok())
        state.status = Status::Error("ERR_DEVICE_UNAVAILABLE", "this process may not open the device");
      return state;
    }
    char text[96] = "";
    if (inquiry.Ask("nvmlDeviceGetUUID", nvmlDeviceGetUUID, device, text, unsigned{sizeof(text)}))
      state.uuid = text;
    if (inquiry.Ask("nvmlDeviceGetName", nvmlDeviceGetName, device, text, unsigned{sizeof(text)}))
      state.name = text;
    state.memory = MemoryOf(inquiry, device);
    Utilisation used{};
    if (inquiry.Ask("nvmlDeviceGetUtilizationRates", nvmlDeviceGetUtilizationRates, device, &used)) {
      state.gpu_percent = used.gpu;
      state.memory_percent = used.memory;
    }
    state.celsius = inquiry.Number("nvmlDeviceGetTemperature", nvmlDeviceGetTemperature, device, 0);
    state.slowdown_celsius = inquiry.Number("nvmlDeviceGetTemperatureThreshold",
                                            nvmlDeviceGetTemperatureThreshold, device, kSlowdown);
    // Newer devices count down to it instead, and some then say 0.
    if (state.slowdown_celsius == 0u) state.slowdown_celsius.reset();
    if (auto milliwatts = inquiry.Number("nvmlDeviceGetPowerUsage", nvmlDeviceGetPowerUsage, device))
      state.watts = *milliwatts / 1e3;
    if (auto milliwatts =
            inquiry.Number("nvmlDeviceGetEnforcedPowerLimit", nvmlDeviceGetEnforcedPowerLimit, device))
      state.watts_limit = *milliwatts / 1e3;
    state.graphics_mhz = inquiry.Number("nvmlDeviceGetClockInfo", nvmlDeviceGetClockInfo, device, kGraphics);
    state.sm_mhz = inquiry.Number("nvmlDeviceGetClockInfo", nvmlDeviceGetClockInfo, device, kSm);
    state.memory_mhz = inquiry.Number("nvmlDeviceGetClockInfo", nvmlDeviceGetClockInfo, device, kMemoryClock);
    unsigned long long reasons = 0;
    if (inquiry.Ask("nvmlDeviceGetCurrentClocksThrottleReasons", nvmlDeviceGetThrottleReasons, device,
                    &reasons)) {
      state.throttle_reasons.emplace();
      for (const auto& [bit, name] : kReasons)
        if (reasons & bit) state.throttle_reasons->push_back(name);
    }
    state.processes = ProcessesOf(inquiry, device);
    AddSlices(inquiry, device, state);
    return state;
  }

  std::optional<GpuMemory> MemoryOf(Inquiry& inquiry, Device device) const {
    Memory memory{};
    if (!inquiry.Ask("nvmlDeviceGetMemoryInfo", nvmlDeviceGetMemoryInfo_v2, device, &memory))
      return std::nullopt;
    return GpuMemory{memory.total, memory.reserved, memory.free, memory.used};
  }

  std::optional<std::vector<GpuProcess>> ProcessesOf(Inquiry& inquiry, Device device) const {
    static constexpr char kName[] = "nvmlDeviceGetComputeRunningProcesses";
    if (!nvmlDeviceGetComputeRunningProcesses_v3 || !inquiry.status.ok()) return std::nullopt;
    std::vector<Process> found(64);
    unsigned count = static_cast<unsigned>(found.size());
    Result result = nvmlDeviceGetComputeRunningProcesses_v3(device, &count, found.data());
    if (result == kInsufficientSize) {
      // Processes may start meanwhile.
      found.resize(count * 2);
      count = static_cast<unsigned>(found.size());
      result = nvmlDeviceGetComputeRunningProcesses_v3(device, &count, found.data());
    }
    if (!inquiry.Judge(kName, result)) return std::nullopt;
    std::vector<GpuProcess> processes;
    for (unsigned i = 0; i < count; ++i)
      processes.push_back({found[i].pid, found[i].used == kNotAvailable
                                             ? std::nullopt
                                             : std::optional<uint64_t>(found[i].used)});
    return processes;
  }

  void AddSlices(Inquiry& inquiry, Device device, GpuState& state) const {
    unsigned current = 0, pending = 0, most = 0;
    if (!inquiry.Ask("nvmlDeviceGetMigMode", nvmlDeviceGetMigMode, device, &current, &pending)) return;
    state.mig = current == 1;
    if (!*state.mig ||
        !inquiry.Ask("nvmlDeviceGetMaxMigDeviceCount", nvmlDeviceGetMaxMigDeviceCount, device, &most))
      return;
    for (unsigned i = 0; i < most; ++i) {
      Device slice;
      if (!inquiry.Ask("nvmlDeviceGetMigDeviceHandleByIndex", nvmlDeviceGetMigDeviceHandleByIndex, device, i,
                       &slice))
        continue;
      char uuid[96] = "";
      if (inquiry.Ask("nvmlDeviceGetUUID", nvmlDeviceGetUUID, slice, uuid, unsigned{sizeof(uuid)}))
        state.slices.push_back({uuid, MemoryOf(inquiry, slice)});
    }
  }

  bool open_ = false;
  Result (*nvmlInit_v2)();
  const char* (*nvmlErrorString)(Result);
  Result (*nvmlSystemGetDriverVersion)(char*, unsigned);
  Result (*nvmlDeviceGetCount_v2)(unsigned*);
  Result (*nvmlDeviceGetHandleByIndex_v2)(unsigned, Device*);
  Result (*nvmlDeviceGetName)(Device, char*, unsigned);
  Result (*nvmlDeviceGetUUID)(Device, char*, unsigned);
  Result (*nvmlDeviceGetMemoryInfo_v2)(Device, Memory*);
  Result (*nvmlDeviceGetUtilizationRates)(Device, Utilisation*);
  Result (*nvmlDeviceGetTemperature)(Device, int sensor, unsigned*);
  Result (*nvmlDeviceGetTemperatureThreshold)(Device, int threshold, unsigned*);
  Result (*nvmlDeviceGetPowerUsage)(Device, unsigned*);
  Result (*nvmlDeviceGetEnforcedPowerLimit)(Device, unsigned*);
  Result (*nvmlDeviceGetClockInfo)(Device, ClockType, unsigned*);
  Result (*nvmlDeviceGetThrottleReasons)(Device, unsigned long long*);
  Result (*nvmlDeviceGetComputeRunningProcesses_v3)(Device, unsigned*, Process*);
  Result (*nvmlDeviceGetMigMode)(Device, unsigned*, unsigned*);
  Result (*nvmlDeviceGetMaxMigDeviceCount)(Device, unsigned*);
  Result (*nvmlDeviceGetMigDeviceHandleByIndex)(Device, unsigned, Device*);
};

}  // namespace

GpuStates QueryGpus() {
  static std::mutex mutex;
  static NeverDestroyed<Nvml> nvml;
  std::lock_guard lock(mutex);
  return nvml->Query();
}

}  // namespace spillway
