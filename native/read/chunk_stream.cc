#include "read/chunk_stream.h"

#include <algorithm>

#include "core/cpu.h"

namespace spillway {
namespace {

// JavaScript that waits is woken for two chunks at once: waking it costs the reading thread 10 µs, a fifth of
// the time in which it reads a chunk of 1 MB.
constexpr size_t kWakeChunks = 2;

}  // namespace

bool ChunkStream::TryTake(std::optional<Chunk>* chunk, Status* status) {
  std::lock_guard lock(mutex_);
  if (filled_.empty()) {
    if (finished_) *status = failure_;
    return finished_ || cancelled_;
  }
  *chunk = std::move(filled_.front());
  filled_.pop_front();
  LaunchIfUseful();
  return true;
}

void ChunkStream::Wait(Waiter* waiter) {
  std::lock_guard lock(mutex_);
  waiter_ = waiter;
  WakeIfReady();
  LaunchIfUseful();
}

void ChunkStream::Cancel() {
  std::lock_guard lock(mutex_);
  cancelled_ = true;
  free_.clear();
  filled_.clear();
  if (active_) return;  // the reading thread sees to the rest
  file_.Close();
  WakeIfReady();
}

std::optional<ChunkSummary> ChunkStream::Summary() {
  std::lock_guard lock(mutex_);
  return summary_;
}

void ChunkStream::Retained() {
  std::lock_guard lock(mutex_);
  --owned_;
}

void ChunkStream::GiveBack(Block block, bool retained) {
  std::lock_guard lock(mutex_);
  if (!retained) --owned_;
  if (finished_ || cancelled_ || owned_ >= slots_) return;
  ++owned_;
  free_.push_back(std::move(block));
  LaunchIfUseful();
}

void ChunkStream::Fill() {
  Status status = file_.is_open() ? Status::Ok() : Begin();
  std::unique_lock lock(mutex_);
  while (status.ok() && !at_end_ && !cancelled_) {
    Chunk chunk;
    if (!TakeRoom(&chunk.block)) {
      active_ = false;
      WakeIfReady();
      return;
    }
    lock.unlock();
    status = ReadNext(&chunk);
    lock.lock();
    if (!status.ok() || cancelled_ || chunk.bytes == 0) break;
    const bool first = next_ - plan_.start <= block_bytes_;
    filled_.push_back(std::move(chunk));
    if (!at_end_ && (first || filled_.size() >= kWakeChunks)) WakeIfReady();
  }
  Finish(std::move(status));
}

Status ChunkStream::Begin() {
  Status status = file_.Open(plan_.path.c_str());
  if (!status.ok()) return status;
  const auto size = static_cast<uint64_t>(file_.version().size);
  next_ = plan_.start;
  end_ = file_.made_up() ? plan_.end : std::min(plan_.end, size);
  at_end_ = next_ >= end_;
  block_bytes_ = at_end_ ? 0 : static_cast<size_t>(std::min<uint64_t>(plan_.chunk_bytes, end_ - next_));
  if (!at_end_ && !file_.made_up()) file_.AdviseSequential();
  return status;
}

Status ChunkStream::ReadNext(Chunk* chunk) {
  const auto wanted = static_cast<size_t>(std::min<uint64_t>(block_bytes_, end_ - next_));
  Status status;
  if (file_.made_up()) {
    status = file_.Read(chunk->block.data(), wanted, next_, &chunk->bytes);
  } else {
    status = file_.ReadAll(chunk->block.data(), wanted, next_);
    chunk->bytes = wanted;
  }
  // A chunk is delivered only if the file was still the same after it had been read.
  if (status.ok()) status = file_.CheckUnchanged();
  if (!status.ok()) return status;
  if (plan_.sha256) hash_.Update(chunk->block.data(), chunk->bytes);
  next_ += chunk->bytes;
  at_end_ = next_ == end_ || chunk->bytes < wanted;
  return status;
}

// A free block, or one more where the ring may grow. False where the thread must wait for one to come back.
bool ChunkStream::TakeRoom(Block* block) {
  if (!free_.empty()) {
    *block = std::move(free_.back());
    free_.pop_back();
    return true;
  }
  if (owned_ >= slots_ && owned_ > 0) return false;
  *block = Block::Take(block_bytes_, plan_.account);
  if (*block && block->Commit(block_bytes_)) {
    ++owned_;
    return true;
  }
  if (owned_ > 0) {
    slots_ = owned_;
    return false;
  }
  Finish(block->Refusal(block_bytes_));
  return false;
}

void ChunkStream::Finish(Status status) {
  active_ = false;
  finished_ = true;
  if (status.ok() && at_end_ && !cancelled_) {
    summary_.emplace();
    summary_->version = file_.version();
    if (plan_.sha256) summary_->digest = hash_.Finish();
  }
  failure_ = std::move(status);
  owned_ -= free_.size();
  free_.clear();
  file_.Close();
  WakeIfReady();
}

// Puts the thread to work where there is room: for half of the ring at once, unless nothing is left to take.
void ChunkStream::LaunchIfUseful() {
  if (active_ || finished_ || cancelled_) return;
  const size_t room = free_.size() + (slots_ > owned_ ? slots_ - owned_ : 0);
  const bool starving = filled_.empty() && (room > 0 || owned_ == 0);
  if (!starving && room * 2 < slots_) return;
  active_ = true;
  RunOnThread([self = shared_from_this()] { self->Fill(); });
}

void ChunkStream::WakeIfReady() {
  if (!waiter_ || (filled_.empty() && !finished_ && !cancelled_)) return;
  std::exchange(waiter_, nullptr)->Ready();
}

}  // namespace spillway
