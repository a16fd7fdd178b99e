// Slot sizes: multiples of 16 bytes up to 1024, then 64 steps per doubling, so that at most 1/64 of a slot is
// lost to rounding (memcached's default factor of 1.25 loses up to a fifth).
#pragma once

#include <bit>
#include <cstdint>

namespace spillway {

using SizeClassId = uint16_t;

inline constexpr size_t kGranuleLimit = 1024, kGranule = 16, kSteps = 64;
inline constexpr int kGranuleLimitLog2 = 10, kStepsLog2 = 6, kLargestLog2 = 33;
inline constexpr size_t kSizeClasses = (kLargestLog2 - kGranuleLimitLog2 + 1) * kSteps;
static_assert(kSizeClasses <= 1 << 11, "Entry::size_class");

inline SizeClassId SizeClassOf(size_t bytes) {
  if (bytes <= kGranuleLimit) return static_cast<SizeClassId>((bytes - 1) / kGranule);
  const int log2 = std::bit_width(bytes - 1) - 1;  // 2^log2 < bytes <= 2^(log2 + 1)
  const size_t step = (bytes - 1 - (size_t{1} << log2)) >> (log2 - kStepsLog2);
  return static_cast<SizeClassId>((log2 - kGranuleLimitLog2 + 1) * kSteps + step);
}

inline size_t SlotBytesOf(SizeClassId id) {
  if (id < kSteps) return (id + 1) * kGranule;
  const int log2 = id / static_cast<int>(kSteps) - 1 + kGranuleLimitLog2;
  return (size_t{1} << log2) + ((id % kSteps + 1) << (log2 - kStepsLog2));
}

}  // namespace spillway
