#include "memory/arena.h"

#include <sys/mman.h>

#include <algorithm>

#include "core/never_destroyed.h"

namespace spillway {

Arena& Arena::Global() {
  static NeverDestroyed<Arena> arena;
  return *arena;
}

void* Arena::Take(size_t bytes) {
  std::lock_guard lock(mutex_);
  std::vector<void*>& waiting = free_[bytes];
  if (waiting.empty()) return Carve(bytes);
  void* extent = waiting.back();
  waiting.pop_back();
  return extent;
}

void Arena::Give(void* extent, size_t bytes) {
  madvise(extent, bytes, MADV_DONTNEED);
  std::lock_guard lock(mutex_);
  free_[bytes].push_back(extent);
}

void* Arena::Carve(size_t bytes) {
  static constexpr size_t kRegionBytes = size_t{64} << 20;  // addresses only: pages come when touched
  if (left_ < bytes) {
    const size_t region = std::max(kRegionBytes, bytes);
    void* mapped =
        mmap(nullptr, region, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) return nullptr;
    // A huge page would make 2 MiB resident at the first touch of a slab that was charged for less.
    madvise(mapped, region, MADV_NOHUGEPAGE);
    next_ = static_cast<char*>(mapped);
    left_ = region;
  }
  void* extent = next_;
  next_ += bytes;
  left_ -= bytes;
  return extent;
}

}  // namespace spillway
