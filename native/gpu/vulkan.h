// What Vulkan drivers show, which is what WebGPU finds. Ask in a process of its own: a driver may crash.
#pragma once

#include <string>
#include <vector>

namespace spillway {

struct VulkanDevice {
  std::string name;
  bool software;  // computes on the CPU
};

struct VulkanReport {
  std::vector<VulkanDevice> devices;
  std::string reason;  // why there is none, where there is none
};

VulkanReport FindVulkanDevices();

}  // namespace spillway
