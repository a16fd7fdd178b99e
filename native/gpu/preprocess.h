// A batch of images through the fused preprocessing kernel.
#pragma once

#include <atomic>
#include <vector>

#include "gpu/pool.h"
#include "gpu/preprocess_cpu.h"

namespace spillway {

struct PreprocessBatch {
  std::vector<PreprocessImage> images;  // in our memory, which must stay until the work is done
  PreprocessFormat format;
  PreprocessPlan plan;

  size_t OutputBytes() const {
    return images.size() * plan.width * plan.height * format.samples() *
           static_cast<size_t>(format.sample_bytes());
  }
};

// Copies the images to the device, runs the kernel and copies the inputs to `output`, of OutputBytes().
// Device memory for both is taken from the pool meanwhile. `kernel_milliseconds` is the kernel's time alone,
// by the device's clock. ERR_TOO_LARGE where an image would be made smaller than the kernel's shared memory
// allows (some 150 times).
Status PreprocessOnGpu(DevicePool& pool, const PreprocessBatch& batch, const std::atomic<bool>& cancelled,
                       void* output, double* kernel_milliseconds);

}  // namespace spillway
