#include "gpu/staging.h"

#include <errno.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <memory>

#include "core/cpu.h"
#include "memory/ledger.h"

namespace spillway {
namespace {

// Enough for the full speed of the link.
constexpr size_t kBlockBytes = size_t{4} << 20;
// Threads that read from the page cache: one gives some 8 GB/s, a link up to 55.
constexpr size_t kMaxLanes = 12;

AccountId StagingAccount() {
  static const AccountId account = Ledger::Global().Account("gpu.staging");
  return account;
}

}  // namespace

// One upload. Shared with lanes that begin late, when it may be over: they find the door closed.
struct StagingRing::Work {
  const StagingRing& ring;
  const uint64_t target, bytes;
  const Source& source;
  const std::atomic<bool>& cancelled;
  std::atomic<uint64_t> next{0};
  std::atomic<bool> failed{false};

  std::mutex mutex;  // guards what follows
  std::condition_variable idle;
  int running = 0;
  bool closed = false;
  Status status;

  void Run(Lane& lane) {
    Status outcome = Pump(lane, *this);
    std::lock_guard lock(mutex);
    if (!outcome.ok()) {
      failed = true;
      if (status.ok()) status = std::move(outcome);
    }
  }
};

// Takes blocks until there are none left. The lane's stream is idle when it returns.
Status StagingRing::Pump(Lane& lane, Work& work) {
  const cuda::Driver& driver = work.ring.driver_;
  const cuda::Current current(driver, work.ring.context_);
  Status status;
  for (size_t turn = 0; status.ok() && !work.failed; ++turn) {
    const uint64_t offset = work.next.fetch_add(kBlockBytes);
    if (offset >= work.bytes) break;
    if (work.cancelled) {
      status = Status::Error("ERR_ABORTED", "the copy was cancelled");
      break;
    }
    const size_t slot = turn % kLaneBlocks, bytes = std::min<uint64_t>(kBlockBytes, work.bytes - offset);
    if (turn >= kLaneBlocks)
      status = driver.Check("cuEventSynchronize", driver.cuEventSynchronize(lane.emptied[slot]));
    if (status.ok()) status = work.source(static_cast<uint8_t*>(lane.blocks[slot]), offset, bytes);
    if (status.ok())
      status = driver.Check(
          "cuMemcpyHtoDAsync",
          driver.cuMemcpyHtoDAsync_v2(work.target + offset, lane.blocks[slot], bytes, lane.stream));
    if (status.ok())
      status = driver.Check("cuEventRecord", driver.cuEventRecord(lane.emptied[slot], lane.stream));
  }
  Status settled = driver.Check("cuStreamSynchronize", driver.cuStreamSynchronize(lane.stream));
  return status.ok() ? settled : status;
}

Status StagingRing::Upload(uint64_t target, uint64_t bytes, const Source& source,
                           const std::atomic<bool>& cancelled) {
  std::lock_guard lock(mutex_);
  const size_t blocks = (bytes + kBlockBytes - 1) / kBlockBytes;
  const size_t wanted = std::clamp<size_t>(std::min<size_t>(blocks, AvailableCores()), 1, kMaxLanes);
  if (Status status = Prepare(wanted); !status.ok()) return status;
  auto work = std::make_shared<Work>(*this, target, bytes, source, cancelled);
  const size_t count = std::min(wanted, lanes_.size());
  // This thread could do it all: where no other is free, nothing is waited for.
  for (size_t i = 1; i < count; ++i)
    RunOnThread([work, &lane = lanes_[i]] {
      {
        std::lock_guard door(work->mutex);
        if (work->closed) return;
        ++work->running;
      }
      work->Run(lane);
      std::lock_guard door(work->mutex);
      if (--work->running == 0) work->idle.notify_all();
    });
  work->Run(lanes_[0]);
  std::unique_lock door(work->mutex);
  work->closed = true;
  work->idle.wait(door, [&work] { return work->running == 0; });
  return work->status;
}

Status StagingRing::Download(void* target, uint64_t source, uint64_t bytes, cuda::Stream stream) {
  const cuda::Current current(driver_, context_);
  Status status =
      driver_.Check("cuMemcpyDtoHAsync", driver_.cuMemcpyDtoHAsync_v2(target, source, bytes, stream));
  Status settled = driver_.Check("cuStreamSynchronize", driver_.cuStreamSynchronize(stream));
  return status.ok() ? settled : status;
}

// At least one lane, and up to `wanted` where the budget has room.
Status StagingRing::Prepare(size_t wanted) {
  const cuda::Current current(driver_, context_);
  // Reserved, so that references to lanes stay what they are.
  lanes_.reserve(kMaxLanes);
  while (lanes_.size() < wanted) {
    Status status = AddLane();
    if (!status.ok()) return lanes_.empty() ? status : Status::Ok();
  }
  return Status::Ok();
}

Status StagingRing::AddLane() {
  if (!Ledger::Global().Charge(StagingAccount(), kLaneBlocks * kBlockBytes))
    return Status::Error("ERR_BUDGET_EXCEEDED",
                         "expected room for " + std::to_string(kLaneBlocks * kBlockBytes) +
                             " bytes of pinned memory within the budget but there is none");
  lanes_.emplace_back();
  Lane& lane = lanes_.back();
  Status status =
      driver_.Check("cuStreamCreate", driver_.cuStreamCreate(&lane.stream, cuda::kNonBlockingStream));
  constexpr unsigned kDisableTiming = 2;
  for (size_t i = 0; i < kLaneBlocks && status.ok(); ++i) {
    status = driver_.Check("cuMemHostAlloc", driver_.cuMemHostAlloc(&lane.blocks[i], kBlockBytes, 0));
    if (status.ok())
      status = driver_.Check("cuEventCreate", driver_.cuEventCreate(&lane.emptied[i], kDisableTiming));
  }
  if (!status.ok()) Drop();
  return status;
}

// The last lane.
void StagingRing::Drop() {
  Lane& lane = lanes_.back();
  for (size_t i = 0; i < kLaneBlocks; ++i) {
    if (lane.blocks[i]) driver_.cuMemFreeHost(lane.blocks[i]);
    if (lane.emptied[i]) driver_.cuEventDestroy_v2(lane.emptied[i]);
  }
  if (lane.stream) driver_.cuStreamDestroy_v2(lane.stream);
  lanes_.pop_back();
  Ledger::Global().Credit(StagingAccount(), kLaneBlocks * kBlockBytes);
}

void StagingRing::Clear() {
  std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock()) return;
  while (!lanes_.empty()) Drop();
}

StagingRing::Source FileSource(int descriptor, uint64_t from) {
  return [descriptor, from](uint8_t* target, uint64_t offset, size_t bytes) {
    while (bytes > 0) {
      const ssize_t got = pread(descriptor, target, bytes, static_cast<off_t>(from + offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return Status::System(errno, "cannot read the file");
      if (got == 0)
        return Status::Error("ERR_TRUNCATED", "expected " + std::to_string(bytes) + " more bytes at " +
                                                  std::to_string(from + offset) + " but the file ends there");
      target += got;
      offset += static_cast<uint64_t>(got);
      bytes -= static_cast<size_t>(got);
    }
    return Status::Ok();
  };
}

}  // namespace spillway
