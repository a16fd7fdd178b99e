// A Vulkan loader between ONNX Runtime and a real one, REAL_LOADER, for tests: it passes every call on, and
// lets some fail.
//   FAILING_VULKAN_SUBMIT    which submission says that the device is lost
//   FAILING_VULKAN_ALLOCATE  which allocation says that the device is out of memory
//   FAILING_VULKAN_KIND      what kind of device every one says to be, by VkPhysicalDeviceType
// Calls count while the setting is there: 3 is the third alone, 3+ that one and all after it; 3B, where bytes
// are asked for, every one for at least three.
#include <dlfcn.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace {

constexpr int kOutOfDeviceMemory = -2, kDeviceLost = -4;

using Function = void (*)();
using GetProcAddr = Function (*)(void* of, const char* name);

// VkMemoryAllocateInfo
struct AllocateInfo {
  int type;
  const void* next;
  uint64_t bytes;
  uint32_t memory;
};

using Submit = int (*)(void* queue, uint32_t count, const void* submits, uint64_t fence);
using Allocate = int (*)(void* device, const AllocateInfo* info, const void* allocator, uint64_t* memory);

using GetProperties = void (*)(void* device, uint32_t* properties);

GetProcAddr real_instance_proc, real_device_proc;
Submit real_submit;
Allocate real_allocate;
GetProperties real_properties;

// Which calls fail, by a setting that may come and go.
class Failures {
 public:
  explicit Failures(const char* setting) : setting_(setting) {}

  bool Next(uint64_t bytes = 0) {
    const char* text = std::getenv(setting_);
    if (!text) return calls_ = 0;
    char* end;
    const uint64_t figure = std::strtoull(text, &end, 10), call = ++calls_;
    return *end == 'B' ? bytes >= figure : *end == '+' ? call >= figure : call == figure;
  }

 private:
  const char* const setting_;
  std::atomic<uint64_t> calls_{0};
};

Failures submissions("FAILING_VULKAN_SUBMIT"), allocations("FAILING_VULKAN_ALLOCATE");

int FailingSubmit(void* queue, uint32_t count, const void* submits, uint64_t fence) {
  return submissions.Next() ? kDeviceLost : real_submit(queue, count, submits, fence);
}

int FailingAllocate(void* device, const AllocateInfo* info, const void* allocator, uint64_t* memory) {
  return allocations.Next(info->bytes) ? kOutOfDeviceMemory : real_allocate(device, info, allocator, memory);
}

void DisguisedProperties(void* device, uint32_t* properties) {
  constexpr int kKind = 4;  // VkPhysicalDeviceProperties.deviceType, behind four numbers of 32 bits
  real_properties(device, properties);
  if (const char* kind = std::getenv("FAILING_VULKAN_KIND")) properties[kKind] = std::atoi(kind);
}

Function DeviceProc(void* device, const char* name) {
  const Function real = real_device_proc(device, name);
  if (std::strcmp(name, "vkQueueSubmit") == 0) {
    real_submit = reinterpret_cast<Submit>(real);
    return reinterpret_cast<Function>(FailingSubmit);
  }
  if (std::strcmp(name, "vkAllocateMemory") == 0) {
    real_allocate = reinterpret_cast<Allocate>(real);
    return reinterpret_cast<Function>(FailingAllocate);
  }
  return real;
}

}  // namespace

extern "C" Function vkGetInstanceProcAddr(void* instance, const char* name) {
  if (!real_instance_proc) {
    void* loader = dlopen(REAL_LOADER, RTLD_NOW | RTLD_LOCAL);
    if (!loader) std::abort();
    real_instance_proc = reinterpret_cast<GetProcAddr>(dlsym(loader, "vkGetInstanceProcAddr"));
  }
  const Function real = real_instance_proc(instance, name);
  if (std::strcmp(name, "vkGetPhysicalDeviceProperties") == 0) {
    real_properties = reinterpret_cast<GetProperties>(real);
    return reinterpret_cast<Function>(DisguisedProperties);
  }
  if (std::strcmp(name, "vkGetDeviceProcAddr") != 0) return real;
  real_device_proc = reinterpret_cast<GetProcAddr>(real);
  return reinterpret_cast<Function>(DeviceProc);
}
