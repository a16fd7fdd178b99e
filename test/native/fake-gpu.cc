// A stand-in for libcuda.so.1 and libnvidia-ml.so.1, for tests. Device memory is the heap, a launched kernel
// is its CPU twin. The environment rules it, and may change between calls:
//   FAKE_GPU_COUNT    devices (1)
//   FAKE_GPU_MEMORY   bytes that pools may hold of a device
//   FAKE_GPU_CELSIUS  temperature (50)
//   FAKE_GPU_SLOWDOWN temperature at which it slows itself down (90)
//   FAKE_GPU_THROTTLE bits of the throttle reasons (0x44: a power cap and heat)
//   FAKE_GPU_MIG      1: the last device is partitioned into two slices, which CUDA shows instead
//   CUDA_VISIBLE_DEVICES  which of them CUDA shows and in what order, by number or the beginning of a UUID; as in the
//                     driver, the first that does not exist ends the list
//   FAKE_GPU_FAIL     call=code[,call=code…]: what these calls return instead of succeeding
//   FAKE_GPU_COPY_MS  milliseconds that a copy to a device takes (0)
//   FAKE_GPU_LOG      a file that every call is appended to
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "cuda/preprocess_launch.h"
#include "gpu/preprocess_cpu.h"

namespace {

constexpr size_t kPoolUnit = size_t{32} << 20;  // a pool takes device memory in such pieces

std::mutex mutex;
std::map<uint64_t, size_t> blocks;
size_t used = 0, reserved = 0;

long Setting(const char* name, long otherwise) {
  const char* text = std::getenv(name);
  return text && *text ? std::atol(text) : otherwise;
}

// Logs the call; what it must return instead, or 0.
int Enter(const char* call, const std::string& detail = "") {
  std::lock_guard lock(mutex);
  if (const char* path = std::getenv("FAKE_GPU_LOG"))
    if (FILE* log = std::fopen(path, "a")) {
      std::fprintf(log, "%s%s%s\n", call, detail.empty() ? "" : " ", detail.c_str());
      std::fclose(log);
    }
  const char* failures = std::getenv("FAKE_GPU_FAIL");
  const std::string wanted = std::string(call) + "=";
  for (const char* at = failures; at && *at; at = std::strchr(at, ',') ? std::strchr(at, ',') + 1 : nullptr)
    if (std::strncmp(at, wanted.c_str(), wanted.size()) == 0) return std::atoi(at + wanted.size());
  return 0;
}

int Devices() { return static_cast<int>(Setting("FAKE_GPU_COUNT", 1)); }
bool Partitioned() { return Setting("FAKE_GPU_MIG", 0) == 1; }

// All that CUDA could show: whole devices, and the two slices of a partitioned one in its place.
int Shown() { return Devices() + (Partitioned() ? 1 : 0); }

// Device n's is n, 0, 0 …; its slices' are n, 1 and n, 2.
void WriteUuid(unsigned char* uuid, int device, int slice) {
  std::memset(uuid, 0, 16);
  uuid[0] = static_cast<unsigned char>(device);
  uuid[1] = static_cast<unsigned char>(slice);
}

std::string UuidText(const char* kind, int device, int slice) {
  char text[64];
  std::snprintf(text, sizeof(text), "%s-%02x%02x0000-0000-0000-0000-000000000000", kind, device, slice);
  return text;
}

std::string ShownUuid(int shown) {
  const int last = Devices() - 1;
  if (Partitioned() && shown >= last) return UuidText("MIG", last, shown - last + 1);
  return UuidText("GPU", shown, 0);
}

int Number(const std::string& name) {
  if (name.find_first_not_of("0123456789") == std::string::npos && !name.empty()) return std::stoi(name);
  for (int i = 0; i < Shown() && !name.empty(); ++i)
    if (ShownUuid(i).starts_with(name)) return i;
  return -1;
}

// By CUDA's numbers, those of what it could show.
std::vector<int> Visible() {
  std::vector<int> visible;
  const char* list = std::getenv("CUDA_VISIBLE_DEVICES");
  if (!list) {
    for (int i = 0; i < Shown(); ++i) visible.push_back(i);
    return visible;
  }
  std::istringstream names(list);
  for (std::string name; std::getline(names, name, ',');) {
    const int number = Number(name);
    if (number < 0 || number >= Shown()) break;
    visible.push_back(number);
  }
  return visible;
}

int Copy(char* to, unsigned length, const std::string& text) {
  if (text.size() >= length) return 7;  // INSUFFICIENT_SIZE
  std::strcpy(to, text.c_str());
  return 0;
}

// A device's handle is its number + 1, a slice's that + 100 or + 200.
struct Handle {
  int device, slice;
  explicit Handle(void* handle)
      : device(static_cast<int>(reinterpret_cast<intptr_t>(handle) % 100) - 1),
        slice(static_cast<int>(reinterpret_cast<intptr_t>(handle) / 100)) {}
};

struct Memory {
  unsigned version;
  unsigned long long total, reserved, free, used;
};
struct Process {
  unsigned pid;
  unsigned long long used;
  unsigned gpu_instance, compute_instance;
};

void RunTwin(const std::string& kernel, int count, void** arguments) {
  const auto* images = *static_cast<const spillway::PreparedImage**>(arguments[0]);
  auto* output = *static_cast<uint8_t**>(arguments[1]);
  const auto& plan = *static_cast<const spillway::PreprocessPlan*>(arguments[2]);
  const auto has = [&kernel](const char* part) { return kernel.find(part) != std::string::npos; };
  const spillway::PreprocessFormat format{
      has("_rgba_")  ? 4
      : has("_rgb_") ? 3
                     : 1,
      has("_float16_") ? spillway::PreprocessType::kFloat16 : spillway::PreprocessType::kFloat32,
      has("_nhwc") ? spillway::PreprocessLayout::kNhwc : spillway::PreprocessLayout::kNchw};
  for (int i = 0; i < count; ++i) {
    spillway::PreprocessOnCpu({images[i].pixels, images[i].across.in, images[i].down.in, images[i].row_bytes},
                              plan, format, output);
    output += plan.width * plan.height * format.samples() * format.sample_bytes();
  }
}

}  // namespace

#define ENTER(call) \
  if (const int failure = Enter(call); failure != 0) return failure

extern "C" {

int cuInit(unsigned) {
  ENTER("cuInit");
  return Devices() == 0 ? 100 : 0;
}
int cuDeviceGetCount(int* count) {
  ENTER("cuDeviceGetCount");
  *count = static_cast<int>(Visible().size());
  return 0;
}
int cuDeviceGet(int* device, int ordinal) {
  ENTER("cuDeviceGet");
  const std::vector<int> visible = Visible();
  if (ordinal < 0 || ordinal >= static_cast<int>(visible.size())) return 101;  // INVALID_DEVICE
  *device = visible[ordinal];
  return 0;
}
int cuDeviceGetName(char* name, int length, int) {
  ENTER("cuDeviceGetName");
  return Copy(name, static_cast<unsigned>(length), "Imaginary 1");
}
int cuDeviceGetUuid(unsigned char* uuid, int device) {
  ENTER("cuDeviceGetUuid");
  WriteUuid(uuid, device < Devices() ? device : Devices() - 1, 0);
  return 0;
}
int cuDeviceGetUuid_v2(unsigned char* uuid, int device) {
  ENTER("cuDeviceGetUuid_v2");
  const int last = Devices() - 1;
  if (Partitioned() && device >= last)
    WriteUuid(uuid, last, device - last + 1);
  else
    WriteUuid(uuid, device, 0);
  return 0;
}
int cuDeviceTotalMem_v2(size_t* bytes, int) {
  ENTER("cuDeviceTotalMem");
  *bytes = size_t{80} << 30;
  return 0;
}
int cuDeviceGetAttribute(int* value, int attribute, int) {
  ENTER("cuDeviceGetAttribute");
  *value = attribute == 75 ? 9 : 0;
  return 0;
}
int cuGetErrorName(int result, const char** name) {
  ENTER("cuGetErrorName");
  static const std::map<int, const char*> names = {{2, "CUDA_ERROR_OUT_OF_MEMORY"},
                                                   {100, "CUDA_ERROR_NO_DEVICE"},
                                                   {700, "CUDA_ERROR_ILLEGAL_ADDRESS"},
                                                   {999, "CUDA_ERROR_UNKNOWN"}};
  const auto found = names.find(result);
  *name = found == names.end() ? "CUDA_ERROR_OTHER" : found->second;
  return 0;
}

int cuDevicePrimaryCtxRetain(void** context, int) {
  ENTER("cuDevicePrimaryCtxRetain");
  *context = &used;
  return 0;
}
int cuCtxPushCurrent_v2(void*) {
  ENTER("cuCtxPushCurrent");
  return 0;
}
int cuCtxPopCurrent_v2(void**) {
  ENTER("cuCtxPopCurrent");
  return 0;
}
int cuCtxSynchronize() {
  ENTER("cuCtxSynchronize");
  return 0;
}
int cuMemPoolCreate(void** pool, const void*) {
  ENTER("cuMemPoolCreate");
  *pool = &reserved;
  return 0;
}
int cuMemPoolSetAttribute(void*, int, void*) {
  ENTER("cuMemPoolSetAttribute");
  return 0;
}
int cuMemPoolGetAttribute(void*, int attribute, void* value) {
  ENTER("cuMemPoolGetAttribute");
  std::lock_guard lock(mutex);
  *static_cast<uint64_t*>(value) = attribute == 5 ? reserved : used;
  return 0;
}
int cuMemPoolTrimTo(void*, size_t) {
  ENTER("cuMemPoolTrimTo");
  std::lock_guard lock(mutex);
  reserved = (used + kPoolUnit - 1) / kPoolUnit * kPoolUnit;
  return 0;
}
int cuMemAllocFromPoolAsync(uint64_t* address, size_t bytes, void*, void*) {
  ENTER("cuMemAllocFromPoolAsync");
  std::lock_guard lock(mutex);
  if (used + bytes > static_cast<size_t>(Setting("FAKE_GPU_MEMORY", 1l << 30))) return 2;
  *address = reinterpret_cast<uint64_t>(std::malloc(bytes));
  blocks[*address] = bytes;
  used += bytes;
  reserved = std::max(reserved, (used + kPoolUnit - 1) / kPoolUnit * kPoolUnit);
  return 0;
}
int cuMemFreeAsync(uint64_t address, void*) {
  ENTER("cuMemFreeAsync");
  std::lock_guard lock(mutex);
  const auto block = blocks.find(address);
  if (block == blocks.end()) return 1;
  used -= block->second;
  blocks.erase(block);
  std::free(reinterpret_cast<void*>(address));
  return 0;
}
int cuMemHostAlloc(void** memory, size_t bytes, unsigned) {
  ENTER("cuMemHostAlloc");
  *memory = std::malloc(bytes);
  return 0;
}
int cuMemFreeHost(void* memory) {
  ENTER("cuMemFreeHost");
  std::free(memory);
  return 0;
}
int cuMemcpyHtoDAsync_v2(uint64_t to, const void* from, size_t bytes, void*) {
  ENTER("cuMemcpyHtoDAsync");
  std::this_thread::sleep_for(std::chrono::milliseconds(Setting("FAKE_GPU_COPY_MS", 0)));
  std::memcpy(reinterpret_cast<void*>(to), from, bytes);
  return 0;
}
int cuMemcpyDtoHAsync_v2(void* to, uint64_t from, size_t bytes, void*) {
  ENTER("cuMemcpyDtoHAsync");
  std::memcpy(to, reinterpret_cast<const void*>(from), bytes);
  return 0;
}
int cuStreamCreate(void** stream, unsigned) {
  ENTER("cuStreamCreate");
  *stream = &mutex;
  return 0;
}
int cuStreamDestroy_v2(void*) {
  ENTER("cuStreamDestroy");
  return 0;
}
int cuStreamSynchronize(void*) {
  ENTER("cuStreamSynchronize");
  return 0;
}
int cuEventCreate(void** event, unsigned) {
  ENTER("cuEventCreate");
  *event = &blocks;
  return 0;
}
int cuEventDestroy_v2(void*) {
  ENTER("cuEventDestroy");
  return 0;
}
int cuEventRecord(void*, void*) {
  ENTER("cuEventRecord");
  return 0;
}
int cuEventSynchronize(void*) {
  ENTER("cuEventSynchronize");
  return 0;
}
int cuEventElapsedTime(float* milliseconds, void*, void*) {
  ENTER("cuEventElapsedTime");
  *milliseconds = 1.5f;
  return 0;
}
int cuModuleLoadData(void** module, const void*) {
  ENTER("cuModuleLoadData");
  *module = &blocks;
  return 0;
}
int cuModuleGetFunction(const std::string** function, void*, const char* name) {
  ENTER("cuModuleGetFunction");
  static std::set<std::string> names;
  *function = &*names.insert(name).first;
  return 0;
}
int cuLaunchKernel(const std::string* function, unsigned x, unsigned y, unsigned z, unsigned, unsigned,
                   unsigned, unsigned, void*, void** arguments, void**) {
  const std::string grid = std::to_string(x) + "x" + std::to_string(y) + "x" + std::to_string(z);
  if (const int failure = Enter("cuLaunchKernel", *function + " " + grid); failure != 0) return failure;
  RunTwin(*function, static_cast<int>(z), arguments);
  return 0;
}

int nvmlInit_v2() {
  ENTER("nvmlInit");
  return 0;
}
const char* nvmlErrorString(int result) {
  if (Enter("nvmlErrorString") != 0) return nullptr;
  return result == 3    ? "Not Supported"
         : result == 15 ? "GPU is lost"
         : result == 9  ? "Driver Not Loaded"
                        : "Other";
}
int nvmlSystemGetDriverVersion(char* text, unsigned length) {
  ENTER("nvmlSystemGetDriverVersion");
  return Copy(text, length, "1.2.3");
}
int nvmlDeviceGetCount_v2(unsigned* count) {
  ENTER("nvmlDeviceGetCount");
  *count = static_cast<unsigned>(Devices());
  return 0;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
  ENTER("nvmlDeviceGetHandleByIndex");
  *device = reinterpret_cast<void*>(static_cast<intptr_t>(index) + 1);
  return 0;
}
int nvmlDeviceGetName(void*, char* name, unsigned length) {
  ENTER("nvmlDeviceGetName");
  return Copy(name, length, "Imaginary 1");
}
int nvmlDeviceGetUUID(void* handle, char* text, unsigned length) {
  ENTER("nvmlDeviceGetUUID");
  const Handle device(handle);
  return Copy(text, length, UuidText(device.slice ? "MIG" : "GPU", device.device, device.slice));
}
int nvmlDeviceGetMemoryInfo_v2(void*, Memory* memory) {
  ENTER("nvmlDeviceGetMemoryInfo");
  if (memory->version != (sizeof(Memory) | 2u << 24)) return 25;  // ARGUMENT_VERSION_MISMATCH
  *memory = {memory->version, 1000, 10, 900, 90};
  return 0;
}
int nvmlDeviceGetUtilizationRates(void*, unsigned* rates) {
  ENTER("nvmlDeviceGetUtilizationRates");
  rates[0] = 70;
  rates[1] = 30;
  return 0;
}
int nvmlDeviceGetTemperature(void*, int, unsigned* celsius) {
  ENTER("nvmlDeviceGetTemperature");
  *celsius = static_cast<unsigned>(Setting("FAKE_GPU_CELSIUS", 50));
  return 0;
}
int nvmlDeviceGetTemperatureThreshold(void*, int threshold, unsigned* celsius) {
  ENTER("nvmlDeviceGetTemperatureThreshold");
  *celsius = static_cast<unsigned>(threshold == 1 ? Setting("FAKE_GPU_SLOWDOWN", 90) : 95);
  return 0;
}
int nvmlDeviceGetPowerUsage(void*, unsigned* milliwatts) {
  ENTER("nvmlDeviceGetPowerUsage");
  *milliwatts = 123456;
  return 0;
}
int nvmlDeviceGetEnforcedPowerLimit(void*, unsigned* milliwatts) {
  ENTER("nvmlDeviceGetEnforcedPowerLimit");
  *milliwatts = 700000;
  return 0;
}
int nvmlDeviceGetClockInfo(void*, int type, unsigned* megahertz) {
  ENTER("nvmlDeviceGetClockInfo");
  *megahertz = 1000 + static_cast<unsigned>(type);
  return 0;
}
int nvmlDeviceGetCurrentClocksThrottleReasons(void*, unsigned long long* reasons) {
  ENTER("nvmlDeviceGetCurrentClocksThrottleReasons");
  *reasons = static_cast<unsigned long long>(Setting("FAKE_GPU_THROTTLE", 0x4 | 0x40));
  return 0;
}
// As many as do not fit into what is asked for at first.
int nvmlDeviceGetComputeRunningProcesses_v3(void*, unsigned* count, Process* processes) {
  ENTER("nvmlDeviceGetComputeRunningProcesses");
  constexpr unsigned kProcesses = 65;
  const bool fits = *count >= kProcesses;
  *count = kProcesses;
  if (!fits) return 7;
  for (unsigned i = 0; i < kProcesses; ++i) processes[i] = {100 + i, i == 1 ? ~0ull : 4096ull, 0, 0};
  return 0;
}
int nvmlDeviceGetMigMode(void* handle, unsigned* current, unsigned* pending) {
  ENTER("nvmlDeviceGetMigMode");
  *current = *pending = Partitioned() && Handle(handle).device == Devices() - 1;
  return 0;
}
int nvmlDeviceGetMaxMigDeviceCount(void*, unsigned* count) {
  ENTER("nvmlDeviceGetMaxMigDeviceCount");
  *count = 7;
  return 0;
}
int nvmlDeviceGetMigDeviceHandleByIndex(void* device, unsigned index, void** slice) {
  ENTER("nvmlDeviceGetMigDeviceHandleByIndex");
  if (index > 2 || index == 1) return 6;  // NOT_FOUND: the instances of a GPU need not follow each other
  *slice = reinterpret_cast<void*>(reinterpret_cast<intptr_t>(device) + (index == 0 ? 100 : 200));
  return 0;
}

}  // extern "C"
