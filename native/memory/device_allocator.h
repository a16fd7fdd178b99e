// Memory of a device, as others may take it: the meeting place of `infer` and `gpu`, which do not include
// each other.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/status.h"

namespace spillway {

class DeviceAllocator {
 public:
  // The C functions that ONNX Runtime's CUDA provider takes as gpu_external_alloc, gpu_external_free and
  // gpu_external_empty_cache. It treats such memory as cudaMalloc's, usable on any stream at once; so they
  // wait for the device before they return. None throws; `allocate` returns null where there is no room.
  struct External {
    void* (*allocate)(size_t bytes);
    void (*free)(void* address);
    void (*empty_cache)();
  };

  // `bytes` of device memory that may be used on any stream; charged to the device's ledger first.
  // ERR_BUDGET_EXCEEDED where its limit would be passed, ERR_OUT_OF_MEMORY where the device has no more.
  virtual Status Allocate(int64_t bytes, uint64_t* address) = 0;
  // The device must have no work left that uses the memory.
  virtual void Free(uint64_t address) = 0;
  // Gives what is free back to the device; how many bytes that were.
  virtual Status Trim(int64_t* bytes) = 0;
  virtual External Addresses() const = 0;

 protected:
  ~DeviceAllocator() = default;
};

}  // namespace spillway
