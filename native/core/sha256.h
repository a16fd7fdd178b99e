// SHA-256 (FIPS 180-4) over a stream of bytes, with the processor's own instructions where it has them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace spillway {

class Sha256 {
 public:
  using Digest = std::array<uint8_t, 32>;
  enum class Kind { kFastest, kPortable };

  // The portable form is there for processors without the instructions, and to be tested where they are.
  explicit Sha256(Kind kind = Kind::kFastest);

  void Update(const void* data, size_t bytes);
  // The digest of everything so far; nothing may follow.
  Digest Finish();

 private:
  using Compress = void (*)(uint32_t state[8], const uint8_t* blocks, size_t count);

  Compress compress_;
  uint32_t state_[8];
  uint8_t tail_[64];  // what does not fill a block yet
  uint64_t total_ = 0;
};

}  // namespace spillway
