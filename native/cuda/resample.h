// What the kernel and its CPU twin share: the arithmetic of resampling, and the shapes of their arguments.
//
// Pixel centres lie at half coordinates (align_corners=False of PyTorch, half_pixel of ONNX). The filter is
// the triangle of bilinear interpolation; with antialiasing it is widened by the factor of a reduction, as
// Pillow and torchvision do, so that every source pixel counts. Taps outside the image are left out and the
// rest weighted up.
#pragma once

#include <cstdint>

#ifdef __CUDACC__
#define SPILLWAY_BOTH __host__ __device__ inline
#else
#define SPILLWAY_BOTH inline
#endif

namespace spillway {

// Interleaved rows of uint8: 1 (grey), 3 (RGB) or 4 (RGBA; alpha is left out) bytes a pixel.
struct PreprocessImage {
  const uint8_t* pixels;
  int32_t width, height;
  int64_t row_bytes;
};

// Weights between rows are whole numbers of this unit, for the integer dot products of the GPU: that moves a
// sample by some 0.03 of 255 at most, and every sum of products stays below 2^23.
inline constexpr float kWeightUnits = 32768.0f;

// What becomes of a sample: value * scale + bias; mean and deviation over 0..255 are folded in by the caller.
struct PreprocessPlan {
  int32_t width, height;  // of every output
  int32_t antialias;      // 0 or 1
  float scale[3];
  float bias[3];
};

// One direction of the resampling: from `in` samples to `out`.
struct ResampleAxis {
  float scale, support, per_support;
  int32_t in;

  ResampleAxis() = default;
  ResampleAxis(int in_size, int out_size, bool antialias) : in(in_size) {
    scale = static_cast<float>(in_size) / static_cast<float>(out_size);
    support = antialias && scale > 1.0f ? scale : 1.0f;
    per_support = 1.0f / support;
  }
  SPILLWAY_BOTH float Centre(int at) const { return (static_cast<float>(at) + 0.5f) * scale; }
  // The taps of an output sample: [First, End), never empty.
  SPILLWAY_BOTH int First(float centre) const {
    const int first = static_cast<int>(centre - support + 0.5f);
    return first > 0 ? first : 0;
  }
  SPILLWAY_BOTH int End(float centre) const {
    const int end = static_cast<int>(centre + support + 0.5f);
    return end < in ? end : in;
  }
  // Before division by the sum over the taps.
  SPILLWAY_BOTH float Weight(float centre, int tap) const {
    const float distance = (static_cast<float>(tap) + 0.5f - centre) * per_support;
    const float weight = 1.0f - (distance < 0 ? -distance : distance);
    return weight > 0 ? weight : 0;
  }
  // In whole units; `units` is kWeightUnits divided by the sum of Weight over the taps.
  SPILLWAY_BOTH unsigned WholeWeight(float centre, int tap, float units) const {
    return static_cast<unsigned>(Weight(centre, tap) * units);
  }
};

}  // namespace spillway
