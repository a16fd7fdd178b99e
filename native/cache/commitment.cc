#include "cache/commitment.h"

#include <cstdlib>
#include <cstring>

#include "memory/arena.h"

namespace spillway {
namespace {

constexpr size_t kHeapGranule = 64;

}  // namespace

size_t Commitment::RoundUp(size_t bytes) const {
  const size_t granule = from_heap_ ? kHeapGranule : kPageBytes;
  return (bytes + granule - 1) / granule * granule;
}

// Never above the limit, not even for a moment: others read the figure meanwhile.
bool Commitment::Commit(int64_t charge) {
  int64_t committed = committed_.load(std::memory_order_relaxed);
  do
    if (committed + charge > limit()) return false;
  while (!committed_.compare_exchange_weak(committed, committed + charge, std::memory_order_relaxed));
  return true;
}

void* Commitment::Take(size_t bytes) {
  const size_t rounded = RoundUp(bytes);
  const auto charge = static_cast<int64_t>(rounded);
  if (!Commit(charge)) return nullptr;
  if (Ledger::Global().Charge(account_, charge, ChargeKind::kStorage)) {
    void* memory = from_heap_ ? std::aligned_alloc(kHeapGranule, rounded) : Arena::Global().Take(rounded);
    if (memory && from_heap_) std::memset(memory, 0, rounded);
    if (memory) return memory;
    Ledger::Global().Credit(account_, charge);
  }
  committed_.fetch_sub(charge, std::memory_order_relaxed);
  return nullptr;
}

void Commitment::Give(void* memory, size_t bytes) {
  const size_t rounded = RoundUp(bytes);
  if (from_heap_)
    std::free(memory);
  else
    Arena::Global().Give(memory, rounded);
  Ledger::Global().Credit(account_, static_cast<int64_t>(rounded));
  committed_.fetch_sub(static_cast<int64_t>(rounded), std::memory_order_relaxed);
}

}  // namespace spillway
