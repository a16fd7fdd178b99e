// Files as groups, in the order their paths came, read by several threads.
//
// A thread measures a few files (open, fstat); whoever has measured the next ones in order gives them their
// places in the open group; then any thread reads them there. So files are opened and read in any order, and
// no thread waits for another. At most kMaxGroups are on their way at a time; while they are, threads go back
// to the pool.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "read/group.h"

namespace spillway {

class GroupReader : public BlockOwner, public std::enable_shared_from_this<GroupReader> {
 public:
  explicit GroupReader(const GroupPlan& plan) : plan_(plan) {}

  // Adds `count` paths, each followed by NUL.
  void Add(std::string paths, size_t count);
  // No further paths will come.
  void End();

  // False where nothing is there yet. Else a group, or none and the status: success means the end.
  bool TryTake(std::optional<FileGroup>* group, Status* status);
  // Calls `waiter` once TryTake would succeed. One waiter at a time. Where paths run out meanwhile, the group
  // that is open is delivered as it is.
  void Wait(Waiter* waiter);
  // Ends the reading and frees what it holds, from any thread. Harmless when repeated.
  void Cancel();

  void Retained() override;
  void GiveBack(Block block, bool retained) override;

 private:
  struct PathBatch {
    std::string paths;
    size_t cursor = 0, left = 0;
  };
  struct Claim {
    std::shared_ptr<PathBatch> batch;  // keeps what the names point to
    std::vector<const char*> names;
    uint64_t first;  // position among all paths
  };

  void Run();  // on a thread of ours
  // With the lock.
  void Drive(std::unique_lock<std::mutex>& lock);
  void MeasureSome(std::unique_lock<std::mutex>& lock);
  void ReadSome(std::unique_lock<std::mutex>& lock);
  bool CanMeasure() const { return unclaimed_ > 0 && measured_.size() < 8u * plan_.threads; }
  bool finished() const { return ended_ && unclaimed_ == 0 && measured_.empty() && groups_.empty(); }
  Claim ClaimSome();
  bool PlaceNext(MeasuredFile& next);
  std::shared_ptr<FileGroup> OpenGroup();
  Status MakeRoom(FileGroup& group, size_t length);
  void LaunchOneMore();
  void Advance();
  void Drop();

  const GroupPlan plan_;

  std::mutex mutex_;  // guards what follows
  std::deque<std::shared_ptr<PathBatch>> batches_;
  size_t unclaimed_ = 0;
  std::deque<std::optional<MeasuredFile>> measured_;  // claimed and not yet placed, in order
  uint64_t placed_ = 0;                               // position of the first of them
  std::deque<PlacedFile> to_read_;
  std::deque<std::shared_ptr<FileGroup>> groups_;  // not yet taken, in order; only the last may be open
  size_t lent_ = 0;                                // taken, neither retained nor given back
  std::vector<Block> spare_;
  int active_ = 0;
  bool ended_ = false;
  bool cancelled_ = false;
  Status failure_;
  Waiter* waiter_ = nullptr;
};

}  // namespace spillway
