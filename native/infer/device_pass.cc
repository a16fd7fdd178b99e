#include "infer/device_pass.h"

#include "core/never_destroyed.h"

namespace spillway {

// Null where no leave is needed.
DevicePass::Gate* DevicePass::GateOf(const std::string& device) {
  static NeverDestroyed<Gate> webgpu(1);
  return device == "webgpu" ? &*webgpu : nullptr;
}

DevicePass DevicePass::Enter(const std::string& device) {
  Gate* gate = GateOf(device);
  if (gate) gate->acquire();
  return DevicePass(gate);
}

DevicePass DevicePass::TryEnter(const std::string& device) {
  Gate* gate = GateOf(device);
  return gate && !gate->try_acquire() ? DevicePass() : DevicePass(gate);
}

}  // namespace spillway
