#include "gpu/preprocess_cpu.h"

#include <algorithm>
#include <bit>
#include <vector>

namespace spillway {
namespace {

// Weighted sums over the taps of output row `y`, one for each byte of a source row. `whole` holds as many
// integers.
void SumRows(const PreprocessImage& image, const ResampleAxis& down, int y, std::vector<uint32_t>& whole,
             std::vector<float>& sums) {
  const float centre = down.Centre(y);
  const int first = down.First(centre), end = down.End(centre);
  float total = 0;
  for (int tap = first; tap < end; ++tap) total += down.Weight(centre, tap);
  const float per_unit = kWeightUnits / total;
  std::fill(whole.begin(), whole.end(), 0);
  uint32_t units = 0;
  for (int tap = first; tap < end; ++tap) {
    const uint32_t weight = down.WholeWeight(centre, tap, per_unit);
    units += weight;
    const uint8_t* row = image.pixels + tap * image.row_bytes;
    for (size_t i = 0; i < whole.size(); ++i) whole[i] += weight * row[i];
  }
  const float share = 1.0f / static_cast<float>(units);
  for (size_t i = 0; i < whole.size(); ++i) sums[i] = static_cast<float>(whole[i]) * share;
}

void SumColumns(const ResampleAxis& across, int x, const float* sums, int channels,
                std::span<float> samples) {
  const float centre = across.Centre(x);
  const int first = across.First(centre), end = across.End(centre);
  float total = 0;
  std::fill(samples.begin(), samples.end(), 0.0f);
  for (int tap = first; tap < end; ++tap) {
    const float weight = across.Weight(centre, tap);
    total += weight;
    for (size_t i = 0; i < samples.size(); ++i)
      samples[i] += weight * sums[tap * channels + static_cast<int>(i)];
  }
  for (float& sample : samples) sample *= 1.0f / total;
}

}  // namespace

uint16_t HalfFromFloat(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return static_cast<uint16_t>(sign | 0x7e00);
  if (magnitude >= 0x477ff000) return static_cast<uint16_t>(sign | 0x7c00);
  // Below the smallest normal half the addition itself rounds: a float of this size has the half's unit as
  // its own.
  if (magnitude < 0x38800000) {
    const float rounded = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(rounded) - 0x3f000000));
  }
  const uint32_t even = magnitude >> 13 & 1;
  return static_cast<uint16_t>(sign | ((magnitude - 0x38000000 + 0xfff + even) >> 13));
}

void PreprocessOnCpu(const PreprocessImage& image, const PreprocessPlan& plan, const PreprocessFormat& format,
                     void* output) {
  const ResampleAxis across(image.width, plan.width, plan.antialias);
  const ResampleAxis down(image.height, plan.height, plan.antialias);
  const size_t count = format.samples(), plane = static_cast<size_t>(plan.width) * plan.height;
  std::vector<float> sums(static_cast<size_t>(image.width) * format.channels);
  std::vector<uint32_t> whole(sums.size());
  float samples[3];
  for (int y = 0; y < plan.height; ++y) {
    SumRows(image, down, y, whole, sums);
    for (int x = 0; x < plan.width; ++x) {
      SumColumns(across, x, sums.data(), format.channels, {samples, count});
      const size_t pixel = static_cast<size_t>(y) * plan.width + x;
      for (size_t i = 0; i < count; ++i) {
        const float value = samples[i] * plan.scale[i] + plan.bias[i];
        const size_t at = format.layout == PreprocessLayout::kNchw ? i * plane + pixel : pixel * count + i;
        if (format.type == PreprocessType::kFloat32)
          static_cast<float*>(output)[at] = value;
        else
          static_cast<uint16_t*>(output)[at] = HalfFromFloat(value);
      }
    }
  }
}

}  // namespace spillway
