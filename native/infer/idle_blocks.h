// Large blocks that runs gave back, kept for the next run.
//
// A block of its own mapping costs a fault per page each time: over a batch of 64 pictures through three
// convolutions 71 ms of system time a batch instead of 9, in 320. So blocks stay until no run has wanted them
// for a moment, memory is short, or the ledger refuses; and there are never more than runs have used at once
// since they were last idle.
#pragma once

#include <cstdint>
#include <mutex>

#include "memory/reclaimable.h"

namespace spillway {

class IdleBlocks : public Reclaimable {
 public:
  static IdleBlocks& Global();

  // A block of exactly so many bytes, no longer charged, or null. Its use begins either way, until Give().
  void* Take(int64_t bytes);
  // Ends a use of so many bytes: keeps the block, which is not charged any more, or frees it. Null: there is
  // none.
  void Give(void* block, int64_t bytes);

  const char* name() const override { return "inference"; }
  int64_t Reclaim(int64_t bytes) override;

 private:
  // Lies in the block itself: nothing here may allocate, for it is where allocating ends.
  struct Block {
    Block* older;
    Block* newer;
    int64_t bytes, since_ms;
  };

  // REQUIRES of the next four: the lock is held.
  bool StartSweeping();
  void Append(Block* block);
  void Unlink(Block* block);
  // Moves the oldest to a chain that FreeAll() takes once the lock is released.
  void DropOldest(Block** dropped);

  static void FreeAll(Block* dropped);
  void Sweep();

  std::mutex mutex_;  // guards what follows
  Block* oldest_ = nullptr;
  Block* newest_ = nullptr;
  int64_t kept_ = 0;  // bytes of them
  int64_t used_ = 0, most_used_ = 0;
  bool sweeping_ = false;
};

}  // namespace spillway
