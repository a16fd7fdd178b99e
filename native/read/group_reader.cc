#include "read/group_reader.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "core/cpu.h"

namespace spillway {
namespace {

constexpr size_t kMaxGroups = 3;  // one with JavaScript, one ready, one being filled
constexpr size_t kMaxFiles = 8192;
constexpr size_t kRunFiles = 8;          // what a thread takes at a time: enough to make the lock cheap,
constexpr size_t kRunBytes = 128 << 10;  // little enough to share large files out
constexpr size_t kAlignment = 16;

}  // namespace

void GroupReader::Add(std::string paths, size_t count) {
  if (count == 0) return;
  auto batch = std::make_shared<PathBatch>();
  batch->paths = std::move(paths);
  batch->left = count;
  std::lock_guard lock(mutex_);
  if (cancelled_) return;
  batches_.push_back(std::move(batch));
  unclaimed_ += count;
  LaunchOneMore();
}

void GroupReader::End() {
  std::lock_guard lock(mutex_);
  ended_ = true;
  Advance();
}

bool GroupReader::TryTake(std::optional<FileGroup>* group, Status* status) {
  std::lock_guard lock(mutex_);
  if (cancelled_ || groups_.empty() || !groups_.front()->complete()) {
    *status = failure_;
    return cancelled_ || finished();
  }
  *group = std::move(*groups_.front());
  groups_.pop_front();
  if ((*group)->arena) ++lent_;
  Advance();
  return true;
}

void GroupReader::Wait(Waiter* waiter) {
  std::lock_guard lock(mutex_);
  waiter_ = waiter;
  Advance();
}

void GroupReader::Cancel() {
  std::lock_guard lock(mutex_);
  Drop();
}

void GroupReader::Drop() {
  cancelled_ = true;
  batches_.clear();
  unclaimed_ = 0;
  measured_.clear();
  to_read_.clear();
  groups_.clear();
  spare_.clear();
  Advance();
}

void GroupReader::Retained() {
  std::lock_guard lock(mutex_);
  --lent_;
  Advance();
}

void GroupReader::GiveBack(Block block, bool retained) {
  std::lock_guard lock(mutex_);
  if (!retained) --lent_;
  if (cancelled_ || finished()) return;
  const bool usual = block.capacity() == Block::CapacityFor(plan_.group_bytes);
  if (usual && spare_.size() + groups_.size() + lent_ < kMaxGroups) spare_.push_back(std::move(block));
  Advance();
}

void GroupReader::Run() {
  std::unique_lock lock(mutex_);
  try {
    Drive(lock);
  } catch (const std::bad_alloc&) {
    if (!lock.owns_lock()) lock.lock();
    failure_ = Status::Error("ERR_OUT_OF_MEMORY", "the system has no memory left for reading files");
    Drop();
  }
  --active_;
}

void GroupReader::Drive(std::unique_lock<std::mutex>& lock) {
  while (!cancelled_) {
    if (!to_read_.empty())
      ReadSome(lock);
    else if (CanMeasure())
      MeasureSome(lock);
    else
      return;
  }
}

void GroupReader::MeasureSome(std::unique_lock<std::mutex>& lock) {
  const Claim claim = ClaimSome();
  LaunchOneMore();
  lock.unlock();
  std::vector<MeasuredFile> files;
  files.reserve(claim.names.size());
  for (const char* name : claim.names) files.push_back(Measure(name, plan_));
  lock.lock();
  if (cancelled_) return;
  const size_t at = claim.first - placed_;
  for (size_t i = 0; i < files.size(); ++i) measured_[at + i] = std::move(files[i]);
  Advance();
}

GroupReader::Claim GroupReader::ClaimSome() {
  Claim claim;
  claim.batch = batches_.front();
  claim.first = placed_ + measured_.size();
  PathBatch& batch = *claim.batch;
  // Fewer where fewer are left, so that each thread gets some.
  const size_t share = std::clamp<size_t>(unclaimed_ / (2 * plan_.threads), 1, kRunFiles);
  const size_t count = std::min(share, batch.left);
  for (size_t i = 0; i < count; ++i) {
    claim.names.push_back(batch.paths.data() + batch.cursor);
    batch.cursor += std::strlen(claim.names.back()) + 1;
  }
  measured_.resize(measured_.size() + count);
  unclaimed_ -= count;
  batch.left -= count;
  if (batch.left == 0) batches_.pop_front();
  return claim;
}

void GroupReader::ReadSome(std::unique_lock<std::mutex>& lock) {
  std::vector<PlacedFile> run;
  for (size_t bytes = 0; !to_read_.empty() && run.size() < kRunFiles && bytes < kRunBytes;) {
    bytes += to_read_.front().source.length;
    run.push_back(std::move(to_read_.front()));
    to_read_.pop_front();
  }
  LaunchOneMore();
  lock.unlock();
  for (PlacedFile& placed : run) ReadPlaced(placed, plan_);
  lock.lock();
  for (PlacedFile& placed : run) {
    FileGroup& group = *placed.group;
    --group.unread;
    if (!placed.source.status.ok()) {
      group.rows[placed.index].length = 0;
      group.errors.push_back({placed.index, std::move(placed.source.status)});
    } else if (plan_.sha256) {
      group.digests[placed.index] = placed.digest;
    }
  }
  Advance();
}

// After any change: gives places, seals what nothing will join, wakes who waits, and puts threads to work.
void GroupReader::Advance() {
  while (!measured_.empty() && measured_.front() && PlaceNext(*measured_.front())) {
    measured_.pop_front();
    ++placed_;
  }
  if (!groups_.empty() && unclaimed_ == 0 && measured_.empty() &&
      (ended_ || (waiter_ && groups_.size() == 1)))
    groups_.back()->sealed = true;
  const bool ready = cancelled_ || finished() || (!groups_.empty() && groups_.front()->complete());
  if (finished()) spare_.clear();
  if (ready && waiter_) std::exchange(waiter_, nullptr)->Ready();
  LaunchOneMore();
}

// Gives the next file in order its place, or its error; false where it has to wait for room.
bool GroupReader::PlaceNext(MeasuredFile& next) {
  const size_t length = next.status.ok() ? next.length : 0;
  if (!groups_.empty() && !groups_.back()->sealed) {
    FileGroup& open = *groups_.back();
    const bool fits = open.used + length <= plan_.group_bytes && open.rows.size() < kMaxFiles;
    open.sealed = length > 0 ? !fits : open.rows.size() >= kMaxFiles;
  }
  std::shared_ptr<FileGroup> group = OpenGroup();
  if (!group) return false;
  if (Status refusal = MakeRoom(*group, length); !refusal.ok()) {
    if (!group->rows.empty()) {
      group->sealed = true;
      return PlaceNext(next);
    }
    if (groups_.size() > 1 || lent_ > 0) {
      groups_.pop_back();
      return false;
    }
    next.status = std::move(refusal);
    next.file.Close();
  }
  const auto index = static_cast<uint32_t>(group->rows.size());
  group->rows.push_back({static_cast<double>(group->used), static_cast<double>(length), next.version});
  if (plan_.sha256) group->digests.emplace_back();
  if (!next.status.ok()) {
    group->rows.back().length = 0;
    group->errors.push_back({index, std::move(next.status)});
    return true;
  }
  char* to = group->arena.data() + group->used;
  group->used += (length + kAlignment - 1) / kAlignment * kAlignment;
  ++group->unread;
  to_read_.push_back({group, index, std::move(next), to, {}});
  return true;
}

// The group that files join; empty where as many as may be are on their way.
std::shared_ptr<FileGroup> GroupReader::OpenGroup() {
  if (groups_.empty() || groups_.back()->sealed) {
    if (groups_.size() + lent_ >= kMaxGroups) return nullptr;
    groups_.push_back(std::make_shared<FileGroup>());
  }
  return groups_.back();
}

// Room for `length` more bytes in the group's arena.
Status GroupReader::MakeRoom(FileGroup& group, size_t length) {
  if (length == 0) return Status::Ok();
  const size_t needed = group.used + length;
  if (!group.arena && needed <= plan_.group_bytes && !spare_.empty()) {
    group.arena = std::move(spare_.back());
    spare_.pop_back();
  }
  if (!group.arena) group.arena = Block::Take(std::max(needed, plan_.group_bytes), plan_.account);
  if (group.arena && group.arena.Commit(needed)) return Status::Ok();
  spare_.clear();
  if (group.arena && group.arena.Commit(needed)) return Status::Ok();
  return group.arena.Refusal(length);
}

void GroupReader::LaunchOneMore() {
  if (cancelled_ || active_ >= plan_.threads || (to_read_.empty() && !CanMeasure())) return;
  ++active_;
  RunOnThread([self = shared_from_this()] { self->Run(); });
}

}  // namespace spillway
