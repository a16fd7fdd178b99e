// What the host prepares for a launch of the kernel: how the work is cut into blocks, and each image with its
// axes.
#pragma once

#include "resample.h"

namespace spillway {

// A block makes a piece of kPreprocessWarps * kPreprocessRows output rows, each warp its own rows.
inline constexpr int kPreprocessWarps = 4, kPreprocessRows = 2;
// Blocks that a multiprocessor should hold at once: the compiler keeps registers, and the host shared memory,
// below that.
inline constexpr int kPreprocessBlocks = 8, kPreprocessSharedBytes = 30 << 10;
// Bytes a lane loads at once where rows are aligned to it; else it loads single bytes.
inline constexpr int kPreprocessVector = 8;
// The most taps that a piece of code without loops serves; the sums of a row end in zeroes for as many
// pixels.
inline constexpr int kPreprocessTaps = 6;

struct PreparedImage {
  const uint8_t* pixels;
  int64_t row_bytes;
  ResampleAxis across, down;
};

struct PreprocessCut {
  int32_t tile;        // output pixels of a piece
  int32_t row_floats;  // for the sums of one output row; a multiple of kPreprocessVector
  int32_t row_pairs;   // for the weights of one output row

  // Shared memory of a block, in bytes.
  int SharedBytes() const {
    return kPreprocessWarps * kPreprocessRows * (row_floats + row_pairs + 3) * 4 + tile * 12;
  }
};

}  // namespace spillway
