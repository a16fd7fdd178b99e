#include "memory/reclaimable.h"

#include <array>
#include <atomic>
#include <mutex>

namespace spillway {
namespace {

std::mutex adding;
std::array<Reclaimable*, kMaxReclaimables> all;
std::atomic<size_t> count{0};

}  // namespace

void AddReclaimable(Reclaimable* reclaimable) {
  std::lock_guard lock(adding);
  all[count.load(std::memory_order_relaxed)] = reclaimable;
  count.fetch_add(1, std::memory_order_release);
}

std::span<Reclaimable* const> Reclaimables() { return {all.data(), count.load(std::memory_order_acquire)}; }

}  // namespace spillway
