// Image bytes to a model's input in one pass: bilinear resize, normalisation, and the change from interleaved
// rows (HWC) to planes (CHW). One thread per output pixel, all three channels; nothing between is stored.
#include <cuda_fp16.h>

#include <cstdint>

namespace {

// What becomes of a channel: value * scale + bias; mean and deviation over 0..255 are folded in by the
// caller.
struct Normalisation {
  float scale[3];
  float bias[3];
};

struct Image {
  const uint8_t* pixels;  // RGB, three bytes a pixel
  int width, height;
  int row_bytes;
};

template <typename T>
__device__ T Convert(float value);
template <>
__device__ float Convert<float>(float value) {
  return value;
}
template <>
__device__ __half Convert<__half>(float value) {
  return __float2half_rn(value);
}

// Sample positions are pixel centres, clamped at the border: align_corners=False of PyTorch and ONNX's
// half_pixel.
template <typename T>
__device__ void Preprocess(Image image, T* planes, int width, int height, Normalisation normalisation) {
  const int x = blockIdx.x * blockDim.x + threadIdx.x;
  const int y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x >= width || y >= height) return;

  const float at_x = fminf(fmaxf((x + 0.5f) * image.width / width - 0.5f, 0.0f), image.width - 1.0f);
  const float at_y = fminf(fmaxf((y + 0.5f) * image.height / height - 0.5f, 0.0f), image.height - 1.0f);
  const int left = static_cast<int>(at_x), top = static_cast<int>(at_y);
  const int right = min(left + 1, image.width - 1), bottom = min(top + 1, image.height - 1);
  const float along_x = at_x - left, along_y = at_y - top;
  const uint8_t* upper = image.pixels + static_cast<size_t>(top) * image.row_bytes;
  const uint8_t* lower = image.pixels + static_cast<size_t>(bottom) * image.row_bytes;

  const size_t plane = static_cast<size_t>(width) * height;
  T* out = planes + static_cast<size_t>(y) * width + x;
  for (int channel = 0; channel < 3; ++channel) {
    const float above = upper[left * 3 + channel] * (1 - along_x) + upper[right * 3 + channel] * along_x;
    const float below = lower[left * 3 + channel] * (1 - along_x) + lower[right * 3 + channel] * along_x;
    const float value = above * (1 - along_y) + below * along_y;
    out[channel * plane] = Convert<T>(value * normalisation.scale[channel] + normalisation.bias[channel]);
  }
}

}  // namespace

extern "C" __global__ void spillway_preprocess_float32(Image image, float* planes, int width, int height,
                                                       Normalisation normalisation) {
  Preprocess(image, planes, width, height, normalisation);
}

extern "C" __global__ void spillway_preprocess_float16(Image image, __half* planes, int width, int height,
                                                       Normalisation normalisation) {
  Preprocess(image, planes, width, height, normalisation);
}
