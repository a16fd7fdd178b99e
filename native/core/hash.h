// A 64-bit hash of bytes for tables inside this process: seeded anew in each, so that nobody outside can aim
// at one bucket. Multiply-and-fold over 16 bytes a step, after Wang Yi's wyhash (public domain).
#pragma once

#include <sys/random.h>

#include <cstdint>
#include <cstring>

namespace spillway {

inline uint64_t FoldedMultiply(uint64_t a, uint64_t b) {
  const __uint128_t product = static_cast<__uint128_t>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

inline uint64_t HashBytes(const void* data, size_t bytes, uint64_t seed) {
  // Odd numbers with as many ones as zeros in each byte, as wyhash asks of its secrets.
  constexpr uint64_t kA = 0xa0761d6478bd642f, kB = 0xe7037ed1a0b428db;
  const auto* at = static_cast<const unsigned char*>(data);
  const auto load = [](const unsigned char* from, size_t count) {
    uint64_t word = 0;
    std::memcpy(&word, from, count);
    return word;
  };
  uint64_t state = seed ^ kA;
  size_t left = bytes;
  for (; left > 16; left -= 16, at += 16) state = FoldedMultiply(load(at, 8) ^ kB, load(at + 8, 8) ^ state);
  // The last 16 bytes at most; the words overlap where fewer than 16 are left.
  uint64_t low = 0, high = 0;
  if (left >= 8) {
    low = load(at, 8);
    high = load(at + left - 8, 8);
  } else if (left >= 4) {
    low = load(at, 4);
    high = load(at + left - 4, 4);
  } else if (left > 0) {
    low = at[0] | at[left / 2] << 8 | at[left - 1] << 16;
  }
  return FoldedMultiply(kB ^ bytes, FoldedMultiply(low ^ kB, high ^ state));
}

inline uint64_t ProcessHashSeed() {
  static const uint64_t seed = [] {
    uint64_t random = 0;
    // Before the kernel's pool is ready the address of a static, random by itself, has to do.
    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
      random = FoldedMultiply(reinterpret_cast<uintptr_t>(&seed), 0xa0761d6478bd642f);
    return random;
  }();
  return seed;
}

}  // namespace spillway
