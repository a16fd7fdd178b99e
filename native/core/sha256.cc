#include "core/sha256.h"

#include <bit>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace spillway {
namespace {

constexpr size_t kBlock = 64;

alignas(16) constexpr uint32_t kRound[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

uint32_t LoadBig(const uint8_t* at) {
  return uint32_t{at[0]} << 24 | uint32_t{at[1]} << 16 | uint32_t{at[2]} << 8 | at[3];
}

void StoreBig(uint8_t* at, uint32_t word) {
  for (int i = 0; i < 4; ++i) at[i] = static_cast<uint8_t>(word >> (24 - 8 * i));
}

// The names a to h, W, Σ and σ are the standard's.
void CompressPortable(uint32_t state[8], const uint8_t* blocks, size_t count) {
  for (; count > 0; --count, blocks += kBlock) {
    uint32_t w[64];
    for (int t = 0; t < 16; ++t) w[t] = LoadBig(blocks + 4 * t);
    for (int t = 16; t < 64; ++t) {
      const uint32_t s0 = std::rotr(w[t - 15], 7) ^ std::rotr(w[t - 15], 18) ^ (w[t - 15] >> 3);
      const uint32_t s1 = std::rotr(w[t - 2], 17) ^ std::rotr(w[t - 2], 19) ^ (w[t - 2] >> 10);
      w[t] = w[t - 16] + s0 + w[t - 7] + s1;
    }
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int t = 0; t < 64; ++t) {
      const uint32_t sum1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
      const uint32_t t1 = h + sum1 + ((e & f) ^ (~e & g)) + kRound[t] + w[t];
      const uint32_t sum0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
      const uint32_t t2 = sum0 + ((a & b) ^ (a & c) ^ (b & c));
      h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
    state[4] += e, state[5] += f, state[6] += g, state[7] += h;
  }
}

#if defined(__x86_64__)

// sha256rnds2 wants the state as (a, b, e, f) and (c, d, g, h), the first named in the highest lane; see
// "Intel SHA Extensions", Intel 2013. Four rounds take one vector of four message words.
__attribute__((target("sha,sse4.1,ssse3"))) void CompressShaNi(uint32_t state[8], const uint8_t* blocks,
                                                               size_t count) {
  const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
  const __m128i* round = reinterpret_cast<const __m128i*>(kRound);
  const __m128i dcba = _mm_loadu_si128(reinterpret_cast<const __m128i*>(state));
  const __m128i hgfe = _mm_loadu_si128(reinterpret_cast<const __m128i*>(state + 4));
  const __m128i cdab = _mm_shuffle_epi32(dcba, 0xB1);
  const __m128i efgh = _mm_shuffle_epi32(hgfe, 0x1B);
  __m128i abef = _mm_alignr_epi8(cdab, efgh, 8);
  __m128i cdgh = _mm_blend_epi16(efgh, cdab, 0xF0);

  for (; count > 0; --count, blocks += kBlock) {
    const __m128i abef_before = abef, cdgh_before = cdgh;
    __m128i w[4];
#pragma GCC unroll 16
    for (int group = 0; group < 16; ++group) {
      __m128i& words = w[group % 4];
      if (group < 4) {
        const auto* from = reinterpret_cast<const __m128i*>(blocks) + group;
        words = _mm_shuffle_epi8(_mm_loadu_si128(from), big_endian);
      } else {
        const __m128i& last = w[(group + 3) % 4];
        const __m128i& before = w[(group + 2) % 4];
        words = _mm_sha256msg1_epu32(words, w[(group + 1) % 4]);
        words = _mm_add_epi32(words, _mm_alignr_epi8(last, before, 4));
        words = _mm_sha256msg2_epu32(words, last);
      }
      __m128i sum = _mm_add_epi32(words, _mm_load_si128(round + group));
      cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
      abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0E));
    }
    abef = _mm_add_epi32(abef, abef_before);
    cdgh = _mm_add_epi32(cdgh, cdgh_before);
  }

  const __m128i feba = _mm_shuffle_epi32(abef, 0x1B);
  const __m128i dchg = _mm_shuffle_epi32(cdgh, 0xB1);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(state), _mm_blend_epi16(feba, dchg, 0xF0));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

// GCC 12 knows no __builtin_cpu_supports("sha").
bool HasShaNi() {
  unsigned a, b, c, d;
  const bool sse41 = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSE4_1) && (c & bit_SSSE3);
  return sse41 && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}

#endif

}  // namespace

Sha256::Sha256(Kind kind)
    : compress_(CompressPortable), state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                          0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19} {
#if defined(__x86_64__)
  static const bool has_sha_ni = HasShaNi();
  if (has_sha_ni && kind == Kind::kFastest) compress_ = CompressShaNi;
#else
  (void)kind;
#endif
}

void Sha256::Update(const void* data, size_t bytes) {
  auto* at = static_cast<const uint8_t*>(data);
  const size_t held = total_ % kBlock;
  total_ += bytes;
  if (held > 0) {
    const size_t missing = kBlock - held;
    if (bytes < missing) {
      std::memcpy(tail_ + held, at, bytes);
      return;
    }
    std::memcpy(tail_ + held, at, missing);
    compress_(state_, tail_, 1);
    at += missing;
    bytes -= missing;
  }
  if (bytes >= kBlock) compress_(state_, at, bytes / kBlock);
  if (bytes % kBlock > 0) std::memcpy(tail_, at + bytes / kBlock * kBlock, bytes % kBlock);
}

Sha256::Digest Sha256::Finish() {
  const uint64_t bits = total_ * 8;
  uint8_t padding[2 * kBlock] = {0x80};
  const size_t held = total_ % kBlock;
  const size_t zeros_end = (held < 56 ? 56 : 120) - held;
  StoreBig(padding + zeros_end, static_cast<uint32_t>(bits >> 32));
  StoreBig(padding + zeros_end + 4, static_cast<uint32_t>(bits));
  Update(padding, zeros_end + 8);
  Digest digest;
  for (int i = 0; i < 8; ++i) StoreBig(digest.data() + 4 * i, state_[i]);
  return digest;
}

}  // namespace spillway
