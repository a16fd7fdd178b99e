// Bytes of files and of our memory to a device and back, through pinned blocks.
//
// A device copies from pinned memory by itself, at the full speed of its link; from other memory the driver
// copies first, one block at a time. Here several lanes fill pinned blocks while the device empties others.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <vector>

#include "gpu/compute.h"

namespace spillway {

class StagingRing {
 public:
  // Writes `bytes` bytes from `offset` of the source to `target`. Called by several threads at once; must not
  // throw.
  using Source = std::function<Status(uint8_t* target, uint64_t offset, size_t bytes)>;

  StagingRing(const cuda::Driver& driver, cuda::Context context) : driver_(driver), context_(context) {}

  // Returns once all `bytes` are on the device at `target`. One at a time, others wait. The pinned blocks are
  // kept for the next and charged to the host's ledger as `gpu.staging`; with little room there are fewer of
  // them.
  Status Upload(uint64_t target, uint64_t bytes, const Source& source, const std::atomic<bool>& cancelled);

  // The other way round, to ordinary memory.
  Status Download(void* target, uint64_t source, uint64_t bytes, cuda::Stream stream);

  // Frees the blocks, where they are not in use.
  void Clear();

 private:
  static constexpr size_t kLaneBlocks = 2;  // a lane fills one while the device empties the other

  struct Lane {
    cuda::Stream stream = nullptr;
    void* blocks[kLaneBlocks] = {};
    cuda::Event emptied[kLaneBlocks] = {};
  };
  struct Work;

  Status Prepare(size_t wanted);
  void Drop();
  Status AddLane();
  static Status Pump(Lane& lane, Work& work);

  const cuda::Driver& driver_;
  const cuda::Context context_;
  std::mutex mutex_;  // guards what follows
  std::vector<Lane> lanes_;
};

// A source over a file that stays open; ERR_TRUNCATED where it ends early, else the system's error.
StagingRing::Source FileSource(int descriptor, uint64_t from);

}  // namespace spillway
