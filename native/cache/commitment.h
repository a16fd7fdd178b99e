// The memory one cache has committed, against its own limit and the ledger's.
#pragma once

#include <atomic>
#include <cstdint>

#include "memory/ledger.h"

namespace spillway {

// Thread-safe. A small cache takes its pieces from the C heap, where pages would be too coarse for its limit;
// a large one takes whole pages from the arena.
class Commitment {
 public:
  Commitment(AccountId account, int64_t limit, bool from_heap)
      : account_(account), from_heap_(from_heap), limit_(limit) {}

  // Zeroed memory of RoundUp(bytes), or null where a limit or the system refuses.
  void* Take(size_t bytes);
  void Give(void* memory, size_t bytes);

  size_t RoundUp(size_t bytes) const;
  bool from_heap() const { return from_heap_; }
  int64_t committed() const { return committed_.load(std::memory_order_relaxed); }
  int64_t limit() const { return limit_.load(std::memory_order_relaxed); }
  void set_limit(int64_t bytes) { limit_.store(bytes, std::memory_order_relaxed); }

 private:
  bool Commit(int64_t charge);

  const AccountId account_;
  const bool from_heap_;
  std::atomic<int64_t> limit_;
  std::atomic<int64_t> committed_{0};
};

}  // namespace spillway
