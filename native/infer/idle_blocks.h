// Large blocks that runs gave back, kept for the next run.
//
// A block of its own mapping costs a fault per page each time: over a batch of 64 pictures through three
// convolutions 71 ms of system time a batch instead of 9, in 320. So blocks stay until no run has wanted them
// for a moment, memory is short, or the ledger refuses; and with those in use there are never more than runs
// have asked for at once since they were last idle.
#pragma once

#include <cstdint>
#include <mutex>

#include "memory/reclaimable.h"

namespace spillway {

class IdleBlocks : public Reclaimable {
 public:
  static IdleBlocks& Global();

  // Begins a use of `bytes`, until Give(). Returns a block of `*size` bytes, at least as many, which is no
  // longer charged; or null, and `*size` is `bytes`.
  void* Take(int64_t bytes, int64_t* size);
  // A block that Take() gave has been freed; one of exactly `bytes` serves the use instead of `size`.
  void Resize(int64_t size, int64_t bytes);
  // Ends a use of `bytes`: keeps the block of `size`, which is not charged any more, or frees it. Null: there
  // is none.
  void Give(void* block, int64_t size, int64_t bytes);

  const char* name() const override { return "inference"; }
  int64_t Reclaim(int64_t bytes) override;

 private:
  // Lies in the block itself: nothing here may allocate, for it is where allocating ends.
  struct Block {
    Block* older;
    Block* newer;
    int64_t bytes, since_ms;
  };

  // REQUIRES of the next seven: the lock is held.
  bool StartSweeping();
  bool HasRoomFor(int64_t bytes) const { return used_ + kept_ + bytes <= most_wanted_; }
  // Of `bytes` to `most`; null where there is none.
  Block* Smallest(int64_t bytes, int64_t most) const;
  void Append(Block* block);
  void Unlink(Block* block);
  // Move the oldest, or as many as leave room for `bytes`, to a chain that FreeAll() takes once the lock is
  // released.
  void DropOldest(Block** dropped);
  void DropFor(int64_t bytes, Block** dropped);

  static void FreeAll(Block* dropped);
  void Sweep();

  std::mutex mutex_;  // guards what follows
  Block* oldest_ = nullptr;
  Block* newest_ = nullptr;
  int64_t kept_ = 0;                      // bytes of them
  int64_t used_ = 0;                      // bytes of blocks in use
  int64_t wanted_ = 0, most_wanted_ = 0;  // bytes that were asked for
  bool sweeping_ = false;
};

}  // namespace spillway
