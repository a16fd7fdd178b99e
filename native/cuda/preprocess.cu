// Image bytes to a model's input in one pass over a batch: antialiased bilinear resize, normalisation,
// layout.
//
// A block works out the weights of its rows and columns once; then each warp makes a piece of two output
// rows. It first weighs source rows together, whole columns of bytes at a time, by integer dot products: the
// loads are wide and coalesced whatever the channels. The sums, one float per source byte, wait in shared
// memory of the warp's own, from which the second, horizontal pass takes its taps. So device memory sees each
// source byte about once (neighbouring rows meet in the caches) and each output once.
//
// On an H200, float32, it moves 50 to 70 % of the bytes a second of a copy within the device when it reduces
// by 2.3 or less (scripts/gpu-check), and 35 % when it reduces by 5 or 18: the instructions of the two passes
// and shared memory bound it, not device memory.
//
// One file, for the two passes share the warp's sums, the weights and the shape they were compiled for.
#include <cuda_fp16.h>

#include "preprocess_launch.h"

namespace spillway {
namespace {

constexpr unsigned kWarp = 32;

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

// Bytes of a row, as many as one load takes.
template <int kBytes>
struct Vector;
template <>
struct Vector<8> {
  unsigned words[2];
  __device__ void Load(const uint8_t* at) {
    const uint2 loaded = __ldg(reinterpret_cast<const uint2*>(at));
    words[0] = loaded.x;
    words[1] = loaded.y;
  }
};
template <>
struct Vector<1> {
  unsigned words[1];
  __device__ void Load(const uint8_t* at) { words[0] = __ldg(at); }
};

// Adds two rows, weighted by the halves of `weights`: bytes of one column side by side are what the dot
// product takes.
template <int kBytes>
__device__ void AddPair(const Vector<kBytes>& upper, const Vector<kBytes>& lower, unsigned weights,
                        unsigned (&sum)[kBytes]) {
#pragma unroll
  for (int i = 0; i < kBytes; i += 4) {
    const unsigned left = __byte_perm(upper.words[i / 4], lower.words[i / 4], 0x5140);
    sum[i] = __dp2a_lo(weights, left, sum[i]);
    if constexpr (kBytes > 1) {
      const unsigned right = __byte_perm(upper.words[i / 4], lower.words[i / 4], 0x7362);
      sum[i + 1] = __dp2a_hi(weights, left, sum[i + 1]);
      sum[i + 2] = __dp2a_lo(weights, right, sum[i + 2]);
      sum[i + 3] = __dp2a_hi(weights, right, sum[i + 3]);
    }
  }
}

// Sums begin with the bits of the float 2^23, so that a sum below that, added as an integer, is a float
// already.
constexpr unsigned kFloatBits = 0x4b000000;
constexpr float kFloatOffset = 8388608.0f;

template <int kCount>
__device__ void Store(float* to, const unsigned (&sum)[kCount]) {
  if constexpr (kCount == 1) {
    *to = __uint_as_float(sum[0]) - kFloatOffset;
  } else {
#pragma unroll
    for (int i = 0; i < kCount; i += 4)
      *reinterpret_cast<float4*>(to + i) =
          make_float4(__uint_as_float(sum[i]) - kFloatOffset, __uint_as_float(sum[i + 1]) - kFloatOffset,
                      __uint_as_float(sum[i + 2]) - kFloatOffset, __uint_as_float(sum[i + 3]) - kFloatOffset);
  }
}

constexpr int kBlockRows = kPreprocessWarps * kPreprocessRows;

// Taps of an output row: where they begin, how many, and what brings their sum back to one unit.
struct Row {
  int first, count;
  float share;
};

// The same of an output pixel; the triangle's weights follow from the distance of the first tap.
struct Column {
  int first;
  float distance, share;
};

// What the rows and columns of a block have in common, worked out once.
struct Tables {
  float* sums;
  unsigned* weights;  // of two taps each, the first in the lower half
  Row* rows;
  Column* columns;

  __device__ Tables(float* shared, const PreprocessCut& cut)
      : sums(shared),
        weights(reinterpret_cast<unsigned*>(shared + kBlockRows * cut.row_floats)),
        rows(reinterpret_cast<Row*>(weights + kBlockRows * cut.row_pairs)),
        columns(reinterpret_cast<Column*>(rows + kBlockRows)) {}

  __device__ void FillRow(const ResampleAxis& down, int row, int y, const PreprocessCut& cut) {
    const float centre = down.Centre(y);
    const int first = down.First(centre), last = down.End(centre);
    float total = 0;
    for (int tap = first; tap < last; ++tap) total += down.Weight(centre, tap);
    const float units = kWeightUnits / total;
    unsigned whole = 0;
    for (int tap = first; tap < last; tap += 2) {
      const unsigned low = down.WholeWeight(centre, tap, units);
      const unsigned high = tap + 1 < last ? down.WholeWeight(centre, tap + 1, units) : 0;
      weights[row * cut.row_pairs + (tap - first) / 2] = low | high << 16;
      whole += low + high;
    }
    rows[row] = {first, last - first, 1.0f / static_cast<float>(whole)};
  }

  __device__ void FillColumn(const ResampleAxis& across, int x, int begin) {
    const float centre = across.Centre(x);
    const int first = across.First(centre), last = across.End(centre);
    float total = 0;
    for (int tap = first; tap < last; ++tap) total += across.Weight(centre, tap);
    columns[x - begin] = {first, (first + 0.5f - centre) * across.per_support, 1.0f / total};
  }
};

// The sums begin as zero, offset.
template <int kVector>
__device__ void Clear(unsigned (&sum)[kVector]) {
#pragma unroll
  for (int i = 0; i < kVector; ++i) sum[i] = kFloatBits;
}

// Writes to `sums` the weighted sums over the taps of an output row for `bytes` bytes from `source`, in its
// first row, on.
template <int kVector>
__device__ void SumRows(const uint8_t* source, int64_t row_bytes, int count, const unsigned* weights,
                        int bytes, float* sums) {
  for (int at = threadIdx.x * kVector; at < bytes; at += kWarp * kVector) {
    const uint8_t* column = source + at;
    unsigned sum[kVector];
    Clear(sum);
    constexpr int kFlight = 4;  // loads in flight at once
    for (int tap = 0; tap < count; tap += kFlight, column += kFlight * row_bytes) {
      Vector<kVector> rows[kFlight];
#pragma unroll
      for (int i = 0; i < kFlight; ++i) rows[i].Load(column + min(i, count - 1 - tap) * row_bytes);
#pragma unroll
      for (int i = 0; i < kFlight; i += 2)
        AddPair(rows[i], rows[i + 1], tap + i < count ? weights[(tap + i) / 2] : 0, sum);
    }
    Store(sums + at, sum);
  }
}

// The same for at most kTaps taps: without loops, and so with all its loads in flight at once. Taps that are
// not there have no weight and are loaded from the last row.
template <int kVector, int kTaps>
__device__ void SumFewRows(const uint8_t* source, int64_t row_bytes, int count, const unsigned* weights,
                           int bytes, float* sums) {
  constexpr int kPairs = (kTaps + 1) / 2;
  unsigned pair_weights[kPairs];
  int64_t offsets[kTaps];
#pragma unroll
  for (int pair = 0; pair < kPairs; ++pair) pair_weights[pair] = 2 * pair < count ? weights[pair] : 0;
#pragma unroll
  for (int tap = 0; tap < kTaps; ++tap) offsets[tap] = min(tap, count - 1) * row_bytes;
  for (int at = threadIdx.x * kVector; at < bytes; at += kWarp * kVector) {
    Vector<kVector> rows[kTaps];
#pragma unroll
    for (int tap = 0; tap < kTaps; ++tap) rows[tap].Load(source + offsets[tap] + at);
    unsigned sum[kVector];
    Clear(sum);
#pragma unroll
    for (int pair = 0; pair < kPairs; ++pair)
      AddPair(rows[2 * pair], rows[min(2 * pair + 1, kTaps - 1)], pair_weights[pair], sum);
    Store(sums + at, sum);
  }
}

// The most taps that an output has along an axis; 0 stands for more than kPreprocessTaps.
__device__ int TapClass(float support) {
  const int taps = static_cast<int>(ceilf(2 * support));
  return taps <= kPreprocessTaps ? taps : 0;
}

template <int kVector>
__device__ void SumRowsOf(const PreparedImage& image, int from, const Row& row, const unsigned* weights,
                          int bytes, float* sums) {
  const uint8_t* source = image.pixels + from + row.first * image.row_bytes;
  switch (TapClass(image.down.support)) {
    case 2:
      return SumFewRows<kVector, 2>(source, image.row_bytes, row.count, weights, bytes, sums);
    case 3:
      return SumFewRows<kVector, 3>(source, image.row_bytes, row.count, weights, bytes, sums);
    case 4:
      return SumFewRows<kVector, 4>(source, image.row_bytes, row.count, weights, bytes, sums);
    case 5:
      return SumFewRows<kVector, 5>(source, image.row_bytes, row.count, weights, bytes, sums);
    case 6:
      return SumFewRows<kVector, 6>(source, image.row_bytes, row.count, weights, bytes, sums);
    default:
      return SumRows<kVector>(source, image.row_bytes, row.count, weights, bytes, sums);
  }
}

// The samples from `at` on, of an output pixel in all rows of the warp. With kTaps, at most so many taps, of
// which the last `kTaps - count` read zeroes or have no weight.
template <int kChannels, int kSamples, int kTaps>
__device__ void SumColumns(const Column& column, int count, float per_support, const float* at,
                           int row_floats, float (&samples)[kPreprocessRows][kSamples]) {
#pragma unroll
  for (int row = 0; row < kPreprocessRows; ++row)
#pragma unroll
    for (int i = 0; i < kSamples; ++i) samples[row][i] = 0;
  const auto add = [&](int tap, float weight) {
#pragma unroll
    for (int row = 0; row < kPreprocessRows; ++row)
#pragma unroll
      for (int i = 0; i < kSamples; ++i)
        samples[row][i] = fmaf(weight, at[tap * kChannels + row * row_floats + i], samples[row][i]);
  };
  if constexpr (kTaps > 0) {
#pragma unroll
    for (int tap = 0; tap < kTaps; ++tap)
      add(tap, fmaxf(1.0f - fabsf(fmaf(static_cast<float>(tap), per_support, column.distance)), 0.0f));
  } else {
    float distance = column.distance;
    for (int tap = 0; tap < count; ++tap, distance += per_support) add(tap, 1.0f - fabsf(distance));
  }
}

// What a warp brings to its outputs.
struct Piece {
  const float* sums;  // of its first row; they begin at byte `from` of a source row
  const Column* columns;
  float share[kPreprocessRows];
  int from, row_floats, begin, end, top, rows;
};

template <int kChannels, typename T, bool kPlanar, int kTaps>
__device__ void WritePiece(const Piece& piece, const ResampleAxis& across, const PreprocessPlan& plan,
                           T* out) {
  constexpr int kSamples = kChannels == 1 ? 1 : 3;
  if constexpr (kPlanar) {
    const size_t plane = static_cast<size_t>(plan.width) * plan.height;
    out += static_cast<size_t>(piece.top) * plan.width;
    for (int x = piece.begin + threadIdx.x; x < piece.end; x += kWarp) {
      const Column column = piece.columns[x - piece.begin];
      const int count = kTaps > 0 ? kTaps : across.End(across.Centre(x)) - column.first;
      float samples[kPreprocessRows][kSamples];
      SumColumns<kChannels, kSamples, kTaps>(column, count, across.per_support,
                                             piece.sums + column.first * kChannels - piece.from,
                                             piece.row_floats, samples);
      T* to = out + x;
#pragma unroll
      for (int row = 0; row < kPreprocessRows; ++row, to += plan.width)
        if (row < piece.rows)
#pragma unroll
          for (int i = 0; i < kSamples; ++i)
            to[i * plane] = Convert<T>(
                fmaf(samples[row][i] * (column.share * piece.share[row]), plan.scale[i], plan.bias[i]));
    }
  } else {
    // A lane for each sample rather than each pixel: the stores of a warp are then one piece of memory.
    out += static_cast<size_t>(piece.top) * plan.width * kSamples;
    for (int at = piece.begin * kSamples + threadIdx.x; at < piece.end * kSamples; at += kWarp) {
      const int x = at / kSamples, channel = at - x * kSamples;
      const Column column = piece.columns[x - piece.begin];
      const int count = kTaps > 0 ? kTaps : across.End(across.Centre(x)) - column.first;
      float samples[kPreprocessRows][1];
      SumColumns<kChannels, 1, kTaps>(column, count, across.per_support,
                                      piece.sums + column.first * kChannels - piece.from + channel,
                                      piece.row_floats, samples);
#pragma unroll
      for (int row = 0; row < kPreprocessRows; ++row)
        if (row < piece.rows)
          out[row * plan.width * kSamples + at] = Convert<T>(fmaf(
              samples[row][0] * (column.share * piece.share[row]), plan.scale[channel], plan.bias[channel]));
    }
  }
}

template <int kChannels, typename T, bool kPlanar>
__device__ void Preprocess(const PreparedImage* images, T* outputs, const PreprocessPlan& plan,
                           const PreprocessCut& cut) {
  extern __shared__ float4 shared[];
  constexpr int kThreads = kPreprocessWarps * kWarp;
  const PreparedImage image = images[blockIdx.z];
  const int block_top = blockIdx.y * kBlockRows, thread = threadIdx.y * kWarp + threadIdx.x;
  Piece piece;
  piece.begin = blockIdx.x * cut.tile;
  piece.end = min(piece.begin + cut.tile, plan.width);
  Tables tables(reinterpret_cast<float*>(shared), cut);
  // From the last thread down, so that rows and columns fall to different warps where they can.
  for (int row = kThreads - 1 - thread; row < kBlockRows; row += kThreads)
    if (block_top + row < plan.height) tables.FillRow(image.down, row, block_top + row, cut);
  for (int x = piece.begin + thread; x < piece.end; x += kThreads)
    tables.FillColumn(image.across, x, piece.begin);
  __syncthreads();

  const int first_row = threadIdx.y * kPreprocessRows;
  piece.top = block_top + first_row;
  piece.rows = min(kPreprocessRows, plan.height - piece.top);
  if (piece.rows <= 0) return;
  piece.from = tables.columns[0].first * kChannels & ~(kPreprocessVector - 1);
  piece.row_floats = cut.row_floats;
  piece.columns = tables.columns;
  float* const sums = tables.sums + first_row * cut.row_floats;
  piece.sums = sums;
  const int bytes = image.across.End(image.across.Centre(piece.end - 1)) * kChannels - piece.from;
  const bool aligned = (reinterpret_cast<uintptr_t>(image.pixels) | image.row_bytes) % kPreprocessVector == 0;
#pragma unroll
  for (int row = 0; row < kPreprocessRows; ++row) {
    const Row taps = tables.rows[first_row + min(row, piece.rows - 1)];
    const unsigned* weights = tables.weights + (first_row + min(row, piece.rows - 1)) * cut.row_pairs;
    float* row_sums = sums + row * cut.row_floats;
    piece.share[row] = taps.share;
    if (aligned)
      SumRowsOf<kPreprocessVector>(image, piece.from, taps, weights, bytes, row_sums);
    else
      SumRowsOf<1>(image, piece.from, taps, weights, bytes, row_sums);
    __syncwarp();
    // Behind the border there is nothing to weigh, but code without loops reads it.
    for (int at = bytes + threadIdx.x; at < min(bytes + kPreprocessTaps * kChannels, cut.row_floats);
         at += kWarp)
      row_sums[at] = 0;
  }
  __syncwarp();

  T* out = outputs + blockIdx.z * (static_cast<size_t>(plan.width) * plan.height * (kChannels == 1 ? 1 : 3));
  switch (TapClass(image.across.support)) {
    case 2:
      return WritePiece<kChannels, T, kPlanar, 2>(piece, image.across, plan, out);
    case 3:
      return WritePiece<kChannels, T, kPlanar, 3>(piece, image.across, plan, out);
    case 4:
      return WritePiece<kChannels, T, kPlanar, 4>(piece, image.across, plan, out);
    case 5:
      return WritePiece<kChannels, T, kPlanar, 5>(piece, image.across, plan, out);
    case 6:
      return WritePiece<kChannels, T, kPlanar, 6>(piece, image.across, plan, out);
    default:
      return WritePiece<kChannels, T, kPlanar, 0>(piece, image.across, plan, out);
  }
}

}  // namespace
}  // namespace spillway

#define SPILLWAY_PREPROCESS(channels, channels_name, type, type_name, planar, layout_name)                   \
  extern "C" __global__ void __launch_bounds__(32 * spillway::kPreprocessWarps, spillway::kPreprocessBlocks) \
      spillway_preprocess_##channels_name##_##type_name##_##layout_name(                                     \
          const spillway::PreparedImage* images, type* outputs,                                              \
          const __grid_constant__ spillway::PreprocessPlan plan,                                             \
          const __grid_constant__ spillway::PreprocessCut cut) {                                             \
    spillway::Preprocess<channels, type, planar>(images, outputs, plan, cut);                                \
  }
#define SPILLWAY_PREPROCESS_LAYOUTS(channels, channels_name, type, type_name) \
  SPILLWAY_PREPROCESS(channels, channels_name, type, type_name, true, nchw)   \
  SPILLWAY_PREPROCESS(channels, channels_name, type, type_name, false, nhwc)
#define SPILLWAY_PREPROCESS_TYPES(channels, channels_name)             \
  SPILLWAY_PREPROCESS_LAYOUTS(channels, channels_name, float, float32) \
  SPILLWAY_PREPROCESS_LAYOUTS(channels, channels_name, __half, float16)

SPILLWAY_PREPROCESS_TYPES(1, grey)
SPILLWAY_PREPROCESS_TYPES(3, rgb)
SPILLWAY_PREPROCESS_TYPES(4, rgba)
