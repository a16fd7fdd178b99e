// Leave to use a device that one thread at a time may use.
//
// ONNX Runtime (1.30) has one WebGPU device for all sessions of a process, and guards it against the runs of
// one session only: with two sessions that load, run or are freed at the same time it crashes.
#pragma once

#include <memory>
#include <semaphore>
#include <string>

namespace spillway {

// Holds the device as long as it lives; of devices that many threads may use, nothing. May end on another
// thread.
class DevicePass {
 public:
  DevicePass() = default;

  // Waits until nobody else is there.
  static DevicePass Enter(const std::string& device);
  // Not granted where somebody is.
  static DevicePass TryEnter(const std::string& device);

  bool granted() const { return granted_; }

 private:
  using Gate = std::binary_semaphore;
  struct Leave {
    void operator()(Gate* gate) const { gate->release(); }
  };

  explicit DevicePass(Gate* entered) : held_(entered), granted_(true) {}
  static Gate* GateOf(const std::string& device);

  std::unique_ptr<Gate, Leave> held_;
  bool granted_ = false;
};

}  // namespace spillway
