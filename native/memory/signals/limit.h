// A limit on memory and what is used under it.
#pragma once

#include <cstdint>
#include <string>

namespace spillway {

inline constexpr int64_t kNoLimit = INT64_MAX;

struct MemoryLimit {
  int64_t bytes = 0;
  int64_t working_set = 0;  // used, page cache that can be reclaimed at once left out
  const std::string* source = nullptr;
};

}  // namespace spillway
