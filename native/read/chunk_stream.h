// One big file as a stream of chunks, read ahead on a thread of ours into a ring of blocks.
//
// The thread goes back to the pool whenever the ring is full, so a stream nobody listens to holds none. Where
// the ledger refuses a further block the ring stays as small as it is; only without any block it is an error.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/sha256.h"
#include "read/block.h"
#include "read/file.h"

namespace spillway {

struct ChunkPlan {
  std::string path;
  size_t chunk_bytes = 0;
  uint64_t start = 0, end = 0;  // the end is exclusive and may lie beyond the file's
  size_t slots = 0;
  bool sha256 = false;
  AccountId account = kHostAccount;
};

struct Chunk {
  Block block;
  size_t bytes = 0;
};

// What is known once the last chunk has been read.
struct ChunkSummary {
  FileVersion version;
  std::optional<Sha256::Digest> digest;
};

class ChunkStream : public BlockOwner, public std::enable_shared_from_this<ChunkStream> {
 public:
  explicit ChunkStream(ChunkPlan plan) : plan_(std::move(plan)), slots_(plan_.slots) {}

  // False where nothing is there yet. Else a chunk, or none and the status: success means the end.
  bool TryTake(std::optional<Chunk>* chunk, Status* status);
  // Calls `waiter` once TryTake would succeed. One waiter at a time; nothing is read before the first.
  void Wait(Waiter* waiter);
  // Ends the stream and frees what it holds, from any thread. Harmless when repeated.
  void Cancel();
  // Empty before the end.
  std::optional<ChunkSummary> Summary();

  void Retained() override;
  void GiveBack(Block block, bool retained) override;

 private:
  // On the reading thread, without the lock.
  void Fill();
  Status Begin();
  Status ReadNext(Chunk* chunk);

  // With the lock.
  bool TakeRoom(Block* block);
  void Finish(Status status);
  void LaunchIfUseful();
  void WakeIfReady();

  const ChunkPlan plan_;

  // Of the thread in Fill(); of whoever holds the lock while there is none.
  File file_;
  uint64_t next_ = 0, end_ = 0;
  size_t block_bytes_ = 0;
  bool at_end_ = false;
  Sha256 hash_;

  std::mutex mutex_;  // guards what follows
  bool active_ = false;
  bool finished_ = false;
  bool cancelled_ = false;
  size_t slots_;      // blocks the ring may have
  size_t owned_ = 0;  // blocks it has, the lent one included, the retained ones not
  std::vector<Block> free_;
  std::deque<Chunk> filled_;
  Status failure_;
  std::optional<ChunkSummary> summary_;
  Waiter* waiter_ = nullptr;
};

}  // namespace spillway
