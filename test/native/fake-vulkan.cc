// Stands for a Vulkan loader, for tests. FAKE_VULKAN_DEVICES names what it shows, each device with its
// VkPhysicalDeviceType: name:type[,name:type…]; a number alone is the error that making an instance ends with.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string>
#include <vector>

namespace {

using Function = void (*)();

std::vector<std::string> Devices() {
  std::vector<std::string> devices;
  std::istringstream settings(std::getenv("FAKE_VULKAN_DEVICES"));
  for (std::string device; std::getline(settings, device, ',');) devices.push_back(device);
  return devices;
}

int instance;

int CreateInstance(const void*, const void*, void** made) {
  const std::vector<std::string> devices = Devices();
  if (devices.size() == 1 && devices[0].find(':') == std::string::npos) return std::stoi(devices[0]);
  *made = &instance;
  return 0;
}

int EnumerateDevices(void*, uint32_t* count, void** found) {
  *count = static_cast<uint32_t>(Devices().size());
  for (uint32_t i = 0; i < *count; ++i) found[i] = reinterpret_cast<void*>(uintptr_t{i} + 1);
  return 0;
}

struct Properties {
  uint32_t numbers[4];
  int32_t type;
  char name[256];
};

void GetProperties(void* device, Properties* properties) {
  const std::string text = Devices()[reinterpret_cast<uintptr_t>(device) - 1];
  const size_t colon = text.find(':');
  properties->type = std::stoi(text.substr(colon + 1));
  std::strcpy(properties->name, text.substr(0, colon).c_str());
}

void DestroyInstance(void*, const void*) {}

}  // namespace

extern "C" Function vkGetInstanceProcAddr(void*, const char* name) {
  const std::string wanted = name;
  if (wanted == "vkCreateInstance") return reinterpret_cast<Function>(CreateInstance);
  if (wanted == "vkEnumeratePhysicalDevices") return reinterpret_cast<Function>(EnumerateDevices);
  if (wanted == "vkGetPhysicalDeviceProperties") return reinterpret_cast<Function>(GetProperties);
  if (wanted == "vkDestroyInstance") return reinterpret_cast<Function>(DestroyInstance);
  return nullptr;
}
