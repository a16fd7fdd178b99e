// The fused preprocessing of native/cuda on the CPU: the same arithmetic, the same numbers to within
// rounding.
#pragma once

#include <span>

#include "cuda/resample.h"

namespace spillway {

enum class PreprocessType { kFloat32, kFloat16 };
enum class PreprocessLayout { kNchw, kNhwc };

// What the images of a batch have in common.
struct PreprocessFormat {
  int channels;  // bytes a pixel: 1, 3 or 4
  PreprocessType type;
  PreprocessLayout layout;

  int samples() const { return channels == 1 ? 1 : 3; }
  int sample_bytes() const { return type == PreprocessType::kFloat32 ? 4 : 2; }
};

// Makes one image's input, of plan.width * plan.height * samples() elements, at `output` (aligned to an
// element). Nothing is kept; memory for a few rows of floats is taken meanwhile.
void PreprocessOnCpu(const PreprocessImage& image, const PreprocessPlan& plan, const PreprocessFormat& format,
                     void* output);

// IEEE half precision, ties to even; what is too large becomes infinite.
uint16_t HalfFromFloat(float value);

}  // namespace spillway
