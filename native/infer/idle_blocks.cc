#include "infer/idle_blocks.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <new>
#include <thread>
#include <utility>

#include "core/clock.h"
#include "core/cpu.h"
#include "core/never_destroyed.h"
#include "memory/ledger.h"
#include "memory/trim.h"

namespace spillway {
namespace {

constexpr int64_t kIdleMs = 250;  // longer than any pause between batches of one job

// A block serves what is smaller by up to this factor, and by any where there is no room for another: layers
// shrink and grow, and each run would else drop what its next layer wants.
constexpr int64_t kSlack = 4;

AccountId Account() {
  static const AccountId account = Ledger::Global().Account("infer.idle");
  return account;
}

}  // namespace

IdleBlocks& IdleBlocks::Global() {
  static NeverDestroyed<IdleBlocks> blocks;
  return *blocks;
}

void* IdleBlocks::Take(int64_t bytes, int64_t* size) {
  Block* dropped = nullptr;
  Block* block = nullptr;
  {
    std::lock_guard lock(mutex_);
    wanted_ += bytes;
    most_wanted_ = std::max(most_wanted_, wanted_);
    block = Smallest(bytes, kSlack * bytes);
    // Rather than to drop one for it.
    if (!block && !HasRoomFor(bytes)) block = Smallest(bytes, kUnlimited);
    *size = block ? block->bytes : bytes;
    if (block)
      Unlink(block);
    else
      DropFor(bytes, &dropped);
    used_ += *size;
  }
  FreeAll(dropped);
  return block;
}

void IdleBlocks::Resize(int64_t size, int64_t bytes) {
  std::lock_guard lock(mutex_);
  used_ += bytes - size;
}

void IdleBlocks::Give(void* block, int64_t size, int64_t bytes) {
  Block* dropped = nullptr;
  {
    std::lock_guard lock(mutex_);
    used_ -= size;
    wanted_ -= bytes;
    if (!block) return;
    DropFor(size, &dropped);
    if (HasRoomFor(size) && Ledger::Global().Charge(Account(), size, ChargeKind::kStorage)) {
      Append(new (block) Block{nullptr, nullptr, size, CoarseMilliseconds()});
      block = nullptr;
    }
    // Without a thread nobody would free them.
    if (oldest_ && !sweeping_ && !StartSweeping())
      while (oldest_) DropOldest(&dropped);
  }
  std::free(block);
  FreeAll(dropped);
}

int64_t IdleBlocks::Reclaim(int64_t bytes) {
  Block* dropped = nullptr;
  int64_t freed = 0;
  {
    std::lock_guard lock(mutex_);
    while (freed < bytes && oldest_) {
      freed += oldest_->bytes;
      DropOldest(&dropped);
    }
  }
  FreeAll(dropped);
  return freed;
}

// Of several the one given back last: it is still in the processor's caches.
IdleBlocks::Block* IdleBlocks::Smallest(int64_t bytes, int64_t most) const {
  Block* smallest = nullptr;
  for (Block* block = newest_; block; block = block->older)
    if (block->bytes >= bytes && block->bytes <= most && (!smallest || block->bytes < smallest->bytes))
      smallest = block;
  return smallest;
}

void IdleBlocks::Append(Block* block) {
  block->older = newest_;
  (newest_ ? newest_->newer : oldest_) = block;
  newest_ = block;
  kept_ += block->bytes;
}

void IdleBlocks::Unlink(Block* block) {
  (block->older ? block->older->newer : oldest_) = block->newer;
  (block->newer ? block->newer->older : newest_) = block->older;
  kept_ -= block->bytes;
  Ledger::Global().Credit(Account(), block->bytes, ChargeKind::kStorage);
}

void IdleBlocks::DropOldest(Block** dropped) {
  Block* block = oldest_;
  Unlink(block);
  block->older = *dropped;
  *dropped = block;
}

void IdleBlocks::DropFor(int64_t bytes, Block** dropped) {
  while (oldest_ && !HasRoomFor(bytes)) DropOldest(dropped);
}

void IdleBlocks::FreeAll(Block* dropped) {
  while (dropped) std::free(std::exchange(dropped, dropped->older));
}

// No exception may pass through ONNX Runtime, which is giving a block back.
bool IdleBlocks::StartSweeping() {
  try {
    RunOnThread([this] { Sweep(); });
  } catch (const std::exception&) {
    return false;
  }
  return sweeping_ = true;
}

// On a thread of its own while there are blocks.
void IdleBlocks::Sweep() {
  for (bool left = true; left;) {
    std::this_thread::sleep_for(std::chrono::milliseconds(kIdleMs));
    Block* dropped = nullptr;
    {
      std::lock_guard lock(mutex_);
      const int64_t before_ms = CoarseMilliseconds() - kIdleMs;
      while (oldest_ && oldest_->since_ms <= before_ms) DropOldest(&dropped);
      left = sweeping_ = oldest_ != nullptr;
      if (!left) most_wanted_ = wanted_;
    }
    FreeAll(dropped);
  }
  TrimHeapSoon();  // smaller blocks of the same runs
}

}  // namespace spillway
