// UTF-8 as names on disk need it: strict, and never failing on the bytes that are not UTF-8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace spillway {

// One code point and its length in bytes. A byte that starts no valid sequence (overlong forms and surrogates
// included) is one character of its own, above every code point, so that no literal and no range matches it.
struct CodePoint {
  uint32_t value;
  uint32_t length;
};

inline constexpr uint32_t kInvalidByte = 0x110000;

CodePoint DecodeUtf8(std::string_view text, size_t at);

bool IsUtf8(std::string_view text);

}  // namespace spillway
