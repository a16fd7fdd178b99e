#include "scan/walk.h"

#include <cstring>
#include <new>

#include "core/cpu.h"
#include "scan/reader.h"

namespace spillway {
namespace {

constexpr size_t kMaxBatches = 16;    // waiting; then readers park
constexpr size_t kResumeBatches = 8;  // waiting; then they go on
constexpr size_t kFirstBatchFiles = 64;
constexpr int kMaxDescriptors = 128;  // kept open for subdirectories still to enter

}  // namespace

Walk::Walk(ScanPlan plan)
    : plan_(std::move(plan)),
      batch_target_(std::min(kFirstBatchFiles, plan_.batch_files)),
      pending_(plan_.roots.size()),
      finished_(plan_.roots.empty()) {}

Walk::~Walk() = default;

std::shared_ptr<Walk> Walk::Start(ScanPlan plan) {
  std::shared_ptr<Walk> walk(new Walk(std::move(plan)));
  std::lock_guard lock(walk->mutex_);
  walk->LaunchOneMore();
  return walk;
}

Status Walk::Next(std::optional<ScanBatch>* batch) {
  batch->reset();
  std::unique_lock lock(mutex_);
  ++waiting_;
  ready_.wait(lock, [this] { return !batches_.empty() || finished_ || cancelled(); });
  --waiting_;
  if (!failure_.ok()) return failure_;
  if (!batches_.empty()) Pop(batch);
  return Status::Ok();
}

bool Walk::TryNext(std::optional<ScanBatch>* batch) {
  std::lock_guard lock(mutex_);
  if (batches_.empty() || !failure_.ok()) return false;
  Pop(batch);
  return true;
}

void Walk::Pop(std::optional<ScanBatch>* batch) {
  *batch = std::move(batches_.front());
  batches_.pop_front();
  if (batches_.size() <= kResumeBatches) {
    for (auto& reader : parked_) Launch(std::move(reader));
    parked_.clear();
    LaunchOneMore();
  }
}

void Walk::Cancel() {
  std::lock_guard lock(mutex_);
  cancelled_ = true;
  batches_.clear();
  stack_.clear();
  parked_.clear();
  idle_.clear();
  ready_.notify_all();
}

bool Walk::Take(Job* job) {
  std::lock_guard lock(mutex_);
  if (cancelled() || pending_ == 0) return false;
  --pending_;
  *job = Job();
  if (stack_.empty()) {
    job->name = plan_.roots[next_root_++];
  } else {
    std::shared_ptr<Directory> parent = stack_.back();
    const char* entry = parent->children.data() + parent->cursor;
    job->through_link = *entry == Directory::kLink;
    job->name = entry + 1;
    parent->cursor += job->name.size() + 2;
    const Directory* open = parent.get();
    for (; open && !open->descriptor; open = open->parent.get()) job->steps.push_back(open);
    if (open) job->base = open->descriptor;
    if (parent->cursor == parent->children.size()) {
      stack_.pop_back();
      parent->children = std::string();
      parent->cursor = 0;
      if (parent->read_to_end) parent->descriptor.reset();
    }
    job->parent = std::move(parent);
  }
  if (pending_ > 0) LaunchOneMore();
  return true;
}

void Walk::Publish(const std::shared_ptr<Directory>& directory, const std::string& children, size_t count) {
  std::lock_guard lock(mutex_);
  if (cancelled()) return;
  if (directory->children.empty()) stack_.push_back(directory);
  directory->children += children;
  pending_ += count;
  if (pending_ > 1) LaunchOneMore();  // one of them is the reader's own next
}

void Walk::Leave(const std::shared_ptr<Directory>& directory) {
  std::lock_guard lock(mutex_);
  directory->read_to_end = true;
  if (directory->children.empty() || open_descriptors_ > kMaxDescriptors) directory->descriptor.reset();
}

bool Walk::Deliver(ScanBatch* batch) {
  std::lock_guard lock(mutex_);
  Push(batch);
  return batches_.size() < kMaxBatches;
}

void Walk::Push(ScanBatch* batch) {
  if (!cancelled() && batch->count() > 0) {
    batches_.push_back(std::move(*batch));
    batch_target_ = std::min(batch_target_ * 2, plan_.batch_files);
    ready_.notify_one();
  }
  *batch = ScanBatch();
}

// On a thread of the pool.
void Walk::Drive(std::shared_ptr<Reader> reader) {
  Status failure;
  bool parks = false;
  try {
    parks = reader->Run();
  } catch (const std::bad_alloc&) {
    failure = Status::Error("ERR_OUT_OF_MEMORY", "the system has no memory left for the directory walk");
  }
  std::lock_guard lock(mutex_);
  --active_;
  if (!failure.ok()) {
    failure_ = std::move(failure);
    cancelled_ = true;
  }
  if (cancelled()) {
    ready_.notify_all();
    return;
  }
  if (parks) {
    // Batches may have been taken since the reader was told to park.
    if (batches_.size() <= kResumeBatches)
      Launch(std::move(reader));
    else
      parked_.push_back(std::move(reader));
    return;
  }
  Push(&reader->batch());
  idle_.push_back(std::move(reader));
  LaunchOneMore();
  if (active_ == 0 && parked_.empty() && pending_ == 0) {
    finished_ = true;
    idle_.clear();
    ready_.notify_all();
  }
}

void Walk::Launch(std::shared_ptr<Reader> reader) {
  ++active_;
  RunOnThread(
      [self = shared_from_this(), reader = std::move(reader)]() mutable { self->Drive(std::move(reader)); });
}

// Puts one more reader to work where there is work, a thread to spare and room for what it finds.
void Walk::LaunchOneMore() {
  const size_t readers = active_ + parked_.size();
  if (pending_ == 0 || cancelled() || readers >= static_cast<size_t>(plan_.threads)) return;
  if (batches_.size() >= kMaxBatches) return;
  std::shared_ptr<Reader> reader;
  if (idle_.empty()) {
    reader = std::make_shared<Reader>(*this);
  } else {
    reader = std::move(idle_.back());
    idle_.pop_back();
  }
  Launch(std::move(reader));
}

}  // namespace spillway
