#include "gpu/vulkan.h"

#include <cstdint>
#include <cstring>

#include "gpu/library.h"

namespace spillway {
namespace {

// The part of the C API that is used, for no header of Vulkan is needed to build this.
using Instance = void*;
using Physical = void*;
using Function = void (*)();

struct InstanceInfo {  // VkInstanceCreateInfo
  int32_t type = 1;
  const void* next = nullptr;
  uint32_t flags = 0;
  const void* application = nullptr;
  uint32_t layers = 0;
  const char* const* layer_names = nullptr;
  uint32_t extensions = 0;
  const char* const* extension_names = nullptr;
};

struct Properties {  // VkPhysicalDeviceProperties, whose limits are not read
  uint32_t api_version, driver_version, vendor, device;
  int32_t type;
  char name[256];
  alignas(8) unsigned char rest[2048];
};
constexpr int32_t kCpu = 4;  // VK_PHYSICAL_DEVICE_TYPE_CPU

using GetProc = Function (*)(Instance, const char*);
using CreateInstance = int32_t (*)(const InstanceInfo*, const void*, Instance*);
using EnumerateDevices = int32_t (*)(Instance, uint32_t*, Physical*);
using GetProperties = void (*)(Physical, Properties*);
using DestroyInstance = void (*)(Instance, const void*);

template <typename Entry>
Entry Find(GetProc get, Instance instance, const char* name) {
  return reinterpret_cast<Entry>(get(instance, name));
}

}  // namespace

VulkanReport FindVulkanDevices() {
  VulkanReport report;
  DriverLibrary loader("libvulkan.so.1", "the Vulkan loader");
  GetProc get = nullptr;
  loader.Require(&get, "vkGetInstanceProcAddr");
  report.reason = loader.problem();
  if (!report.reason.empty()) return report;

  const InstanceInfo info;
  Instance instance = nullptr;
  const auto create = Find<CreateInstance>(get, nullptr, "vkCreateInstance");
  const int32_t result = create ? create(&info, nullptr, &instance) : 0;
  if (!instance) {
    report.reason = "the Vulkan loader finds no driver (error " + std::to_string(result) + ")";
    return report;
  }
  const auto enumerate = Find<EnumerateDevices>(get, instance, "vkEnumeratePhysicalDevices");
  const auto describe = Find<GetProperties>(get, instance, "vkGetPhysicalDeviceProperties");
  const auto destroy = Find<DestroyInstance>(get, instance, "vkDestroyInstance");
  std::vector<Physical> found(64);
  auto count = static_cast<uint32_t>(found.size());
  if (!enumerate || !describe || enumerate(instance, &count, found.data()) < 0) count = 0;
  for (uint32_t i = 0; i < count; ++i) {
    Properties properties{};
    describe(found[i], &properties);
    report.devices.push_back({std::string(properties.name, strnlen(properties.name, sizeof(properties.name))),
                              properties.type == kCpu});
  }
  if (count == 0) report.reason = "the Vulkan drivers show no device";
  if (destroy) destroy(instance, nullptr);
  return report;
}

}  // namespace spillway
