// A parallel directory walk: the directories still to enter, the batches not yet taken, and the readers.
//
// A reader occupies a thread only while it has something to do and somewhere to put it. When the batches
// waiting reach their bound it is parked with its half-read directory and its thread goes back to the pool,
// so walks nobody listens to hold no thread, and memory stays flat however large the tree.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "scan/directory.h"
#include "scan/scan_batch.h"
#include "scan/scan_plan.h"

namespace spillway {

class Reader;

class Walk : public std::enable_shared_from_this<Walk> {
 public:
  static std::shared_ptr<Walk> Start(ScanPlan plan);
  ~Walk();

  // Waits for the next batch; empty at the end and once cancelled.
  Status Next(std::optional<ScanBatch>* batch);

  // Takes the next batch if one is there.
  bool TryNext(std::optional<ScanBatch>* batch);

  // Ends the walk and frees what it holds, from any thread. Harmless when repeated.
  void Cancel();

  // What follows is for the readers.
  const ScanPlan& plan() const { return plan_; }
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }
  // Whether somebody waits for a batch: a reader then hands over a small one rather than a late one.
  bool wanted() const { return waiting_.load(std::memory_order_relaxed) > 0; }
  size_t batch_target() const { return batch_target_.load(std::memory_order_relaxed); }
  std::atomic<int>& open_descriptors() { return open_descriptors_; }

  // Takes the deepest directory still to enter, else the next root; false where there is none now.
  bool Take(Job* job);
  // Adds subdirectories of `directory` to those still to enter, `children` as Directory holds them.
  void Publish(const std::shared_ptr<Directory>& directory, const std::string& children, size_t count);
  // The directory has been read to its end.
  void Leave(const std::shared_ptr<Directory>& directory);
  // Hands a batch over and empties it; false where the reader must park.
  bool Deliver(ScanBatch* batch);

 private:
  explicit Walk(ScanPlan plan);
  void Drive(std::shared_ptr<Reader> reader);
  void Push(ScanBatch* batch);
  void Pop(std::optional<ScanBatch>* batch);
  void Launch(std::shared_ptr<Reader> reader);
  void LaunchOneMore();

  const ScanPlan plan_;
  std::atomic<bool> cancelled_ = false;
  std::atomic<int> waiting_ = 0;
  std::atomic<size_t> batch_target_;  // doubles with each batch: the first is soon there, the later are large
  std::atomic<int> open_descriptors_ = 0;

  std::mutex mutex_;  // guards what follows, and the marked members of Directory
  std::condition_variable ready_;
  std::deque<ScanBatch> batches_;
  Status failure_;
  size_t next_root_ = 0;
  size_t pending_ = 0;                             // directories in `stack_` still to enter, and roots
  std::vector<std::shared_ptr<Directory>> stack_;  // those with children still to enter, deepest last
  int active_ = 0;                                 // readers on a thread
  std::vector<std::shared_ptr<Reader>> parked_;    // readers with work and nowhere to put it
  std::vector<std::shared_ptr<Reader>> idle_;      // readers without work, kept for their buffers
  bool finished_ = false;
};

}  // namespace spillway
