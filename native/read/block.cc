#include "read/block.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <bit>
#include <mutex>
#include <vector>

#include "core/never_destroyed.h"

namespace spillway {
namespace {

constexpr size_t kPage = 4096;

// Free blocks by the logarithm of their size: powers of two, so that odd sizes do not pile up.
struct Pool {
  std::mutex mutex;
  std::array<std::vector<char*>, 64> free;
};

Pool& GlobalPool() {
  static NeverDestroyed<Pool> pool;
  return *pool;
}

}  // namespace

Block& Block::operator=(Block&& other) noexcept {
  if (this == &other) return *this;
  Reset();
  data_ = std::exchange(other.data_, nullptr);
  class_bytes_ = other.class_bytes_;
  committed_ = std::exchange(other.committed_, 0);
  account_ = other.account_;
  return *this;
}

size_t Block::CapacityFor(size_t bytes) { return std::bit_ceil(std::max(bytes, kPage)); }

Block Block::Take(size_t capacity, AccountId account) {
  Block block;
  block.account_ = account;
  block.class_bytes_ = CapacityFor(capacity);
  Pool& pool = GlobalPool();
  {
    std::lock_guard lock(pool.mutex);
    auto& free = pool.free[std::countr_zero(block.class_bytes_)];
    if (!free.empty()) {
      block.data_ = free.back();
      free.pop_back();
      return block;
    }
  }
  void* mapped = mmap(nullptr, block.class_bytes_, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) return block;
  // A huge page would make resident what has not been charged.
  madvise(mapped, block.class_bytes_, MADV_NOHUGEPAGE);
  block.data_ = static_cast<char*>(mapped);
  return block;
}

bool Block::Commit(size_t bytes) {
  const size_t wanted = (bytes + kPage - 1) / kPage * kPage;
  if (wanted <= committed_) return true;
  if (!Ledger::Global().Charge(account_, static_cast<int64_t>(wanted - committed_))) return false;
  committed_ = wanted;
  return true;
}

Status Block::Refusal(size_t bytes) const {
  const std::string size = std::to_string(bytes) + " bytes";
  if (!data_)
    return Status::Error("ERR_OUT_OF_MEMORY", "the system has no address space of " + size + " left");
  return Status::Error("ERR_BUDGET_EXCEEDED",
                       "expected room for " + size + " to read into, but the budget has less left");
}

void Block::Reset() {
  if (!data_) return;
  if (committed_ > 0) madvise(data_, committed_, MADV_DONTNEED);
  Ledger::Global().Credit(account_, static_cast<int64_t>(committed_));
  committed_ = 0;
  Pool& pool = GlobalPool();
  std::lock_guard lock(pool.mutex);
  pool.free[std::countr_zero(class_bytes_)].push_back(std::exchange(data_, nullptr));
}

}  // namespace spillway
