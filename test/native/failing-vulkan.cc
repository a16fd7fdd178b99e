// A Vulkan loader between ONNX Runtime and a real one, REAL_LOADER, for tests: it passes every call on, and
// lets some fail.
//   FAILING_VULKAN       call=which[,call=which…]: which calls fail, as the system would let them. They count
//                        while they are named: 3 is the third alone, 3+ that one and all after it, 3B of
//                        vkAllocateMemory every one for at least three bytes
//   FAILING_VULKAN_KIND  what kind of device every one says to be, by VkPhysicalDeviceType
#include <dlfcn.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace {

constexpr int kOutOfHostMemory = -1, kOutOfDeviceMemory = -2, kDeviceLost = -4;

using Word = uintptr_t;
using Function = void (*)();
using Call = int (*)(Word, Word, Word, Word, Word, Word);  // what a call has less of is not looked at
using GetProcAddr = Function (*)(void* of, const char* name);
using GetProperties = void (*)(void* device, uint32_t* properties);

struct Point {
  const char* name;
  int failure;
};
constexpr Point kPoints[] = {
    {"vkAllocateMemory", kOutOfDeviceMemory},
    {"vkBindBufferMemory", kOutOfDeviceMemory},
    {"vkCreateBuffer", kOutOfDeviceMemory},
    {"vkMapMemory", kOutOfHostMemory},
    {"vkCreateShaderModule", kOutOfHostMemory},
    {"vkCreateComputePipelines", kOutOfDeviceMemory},
    {"vkCreateDescriptorPool", kOutOfDeviceMemory},
    {"vkAllocateDescriptorSets", kOutOfDeviceMemory},
    {"vkCreateCommandPool", kOutOfDeviceMemory},
    {"vkAllocateCommandBuffers", kOutOfDeviceMemory},
    {"vkBeginCommandBuffer", kOutOfDeviceMemory},
    {"vkEndCommandBuffer", kOutOfDeviceMemory},
    {"vkCreateFence", kOutOfDeviceMemory},
    {"vkQueueSubmit", kDeviceLost},
    {"vkWaitForFences", kDeviceLost},
    {"vkGetFenceStatus", kDeviceLost},
};
constexpr size_t kCount = std::size(kPoints);

GetProcAddr real_instance_proc, real_device_proc;
GetProperties real_properties;
std::array<Call, kCount> real_calls;
std::array<std::atomic<uint64_t>, kCount> calls;

// What VkMemoryAllocateInfo asks for, behind its type and the pointer to what extends it.
uint64_t BytesAsked(Word allocate_info) { return reinterpret_cast<const uint64_t*>(allocate_info)[2]; }

bool Fails(size_t point, Word second) {
  const char* at = std::getenv("FAILING_VULKAN");
  const size_t length = std::strlen(kPoints[point].name);
  while (at && (std::strncmp(at, kPoints[point].name, length) != 0 || at[length] != '='))
    if ((at = std::strchr(at, ','))) ++at;
  if (!at) return calls[point] = 0;
  char* end;
  const uint64_t figure = std::strtoull(at + length + 1, &end, 10), call = ++calls[point];
  return *end == 'B' ? BytesAsked(second) >= figure : *end == '+' ? call >= figure : call == figure;
}

template <size_t kPoint>
int Pass(Word a, Word b, Word c, Word d, Word e, Word f) {
  return Fails(kPoint, b) ? kPoints[kPoint].failure : real_calls[kPoint](a, b, c, d, e, f);
}

template <size_t... kIndices>
constexpr std::array<Call, kCount> PassAll(std::index_sequence<kIndices...>) {
  return {Pass<kIndices>...};
}
constexpr std::array<Call, kCount> kPasses = PassAll(std::make_index_sequence<kCount>());

Function DeviceProc(void* device, const char* name) {
  const Function real = real_device_proc(device, name);
  for (size_t i = 0; real && i < kCount; ++i)
    if (std::strcmp(name, kPoints[i].name) == 0) {
      real_calls[i] = reinterpret_cast<Call>(real);
      return reinterpret_cast<Function>(kPasses[i]);
    }
  return real;
}

void DisguisedProperties(void* device, uint32_t* properties) {
  constexpr int kKind = 4;  // VkPhysicalDeviceProperties.deviceType, behind four numbers of 32 bits
  real_properties(device, properties);
  if (const char* kind = std::getenv("FAILING_VULKAN_KIND")) properties[kKind] = std::atoi(kind);
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
