// Pages for slabs: mapped once, decommitted when given back, never unmapped.
//
// Unmapping would let the system hand the same addresses to somebody else while a JavaScript buffer made over
// them may still exist; decommitted they cost nothing. Extents given back wait for the next taker of the same
// size, from whichever cache. The caller charges the ledger before Take and credits it after Give.
#pragma once

#include <cstddef>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace spillway {

inline constexpr size_t kPageBytes = 4096;

class Arena {
 public:
  static Arena& Global();

  // `bytes` (a multiple of kPageBytes) of zeroes, aligned to a page; none is resident until touched. Null
  // where the system has no address space left.
  void* Take(size_t bytes);
  // Gives the pages back to the system at once and keeps the addresses.
  void Give(void* extent, size_t bytes);

 private:
  void* Carve(size_t bytes);

  std::mutex mutex_;  // guards what follows
  char* next_ = nullptr;
  size_t left_ = 0;
  std::unordered_map<size_t, std::vector<void*>> free_;  // by bytes
};

}  // namespace spillway
