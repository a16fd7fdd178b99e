// The loaded graphs of this process: who uses each, and what the governor may evict while JavaScript is
// blocked.
//
// Evicted is the least recently used graph that nobody holds and no run is using, whole. Whoever loaded it
// keeps an empty LoadedGraph, and learns at the next use that it must be loaded again.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "infer/session.h"
#include "memory/reclaimable.h"

namespace spillway {

// A session and the memory it keeps beyond our allocator.
//
// ONNX Runtime 1.30 only allocates from us what its kernels pack and what runs need; other weights, what it
// makes of them while it optimises the graph, and the nodes stay in memory of its own, where they cannot be
// measured. What they come to is worked out before the load (src/models/vetting/constants.ts); weights are
// charged as far as the session's own bytes do not reach.
class GraphSession {
 public:
  // Charges what the session keeps out of sight; ERR_OUT_OF_MEMORY, and the session freed, where the ledger
  // refuses.
  static Status Make(std::unique_ptr<InferSession> session, std::shared_ptr<SharedWeights> shared,
                     const LoadPlan& plan, std::unique_ptr<GraphSession>* out);
  ~GraphSession();
  GraphSession(const GraphSession&) = delete;
  GraphSession& operator=(const GraphSession&) = delete;

  InferSession* get() const { return session_.get(); }
  int64_t bytes() const { return session_->bytes() + unseen_ + shared_bytes(); }
  // Those of weights that sessions share, where they are counted with this one.
  int64_t shared_bytes() const { return shared_ ? shared_->BytesOf(this) : 0; }
  const std::string& device() const { return device_; }
  // Expires once the session is freed.
  std::weak_ptr<void> life() const { return life_; }
  // Frees it; returns what was credited.
  int64_t Free();

 private:
  // The bytes are charged already.
  GraphSession(std::unique_ptr<InferSession> session, std::shared_ptr<SharedWeights> shared,
               std::string device, int64_t unseen);

  const std::string device_;
  std::shared_ptr<void> life_ = std::make_shared<char>();
  std::shared_ptr<SharedWeights> shared_;  // before the session, which computes with them
  std::unique_ptr<InferSession> session_;
  const int64_t unseen_;
};

// What an eviction gave back, as measured.
struct EvictedBytes {
  int64_t charged;   // credited to the ledger
  int64_t resident;  // less resident memory right afterwards; blocks below 4 MiB follow with a trim
};

// A loaded graph. Thread-safe.
class LoadedGraph : public std::enable_shared_from_this<LoadedGraph> {
 public:
  using Free = std::function<void(std::unique_ptr<GraphSession>)>;

  // Made by ModelTable::Add().
  LoadedGraph(std::unique_ptr<GraphSession> session, const void* owner, Free free);

  // The session, which stays as long as the pointer lives; null once evicted or released.
  std::shared_ptr<InferSession> Use();
  // One more holder; false, and none, once evicted or released. Who loaded it is the first.
  bool Hold();
  // One holder less: after the last it may be evicted.
  void LetGo();
  // Frees the session here and now if it is idle; nothing where it is not.
  std::optional<EvictedBytes> Evict();
  // Has the session freed, once its last user is gone. Harmless when repeated.
  void Release();

  const std::string& device() const { return device_; }
  // Bytes of the ledger it holds now, and how many of them it shares.
  int64_t bytes() const;
  int64_t shared_bytes() const;
  // Nothing unless it was evicted.
  std::optional<EvictedBytes> evicted() const;
  bool released() const;

 private:
  friend class ModelTable;

  void EndUse();
  // Has no more users from here on; the session, where the last of them has gone.
  // REQUIRES: the table's lock is held.
  std::unique_ptr<GraphSession> Close();
  // REQUIRES: the table's lock is held.
  bool Idle() const { return session_ && holders_ == 0 && users_ == 0 && !released_ && !retired_; }

  // The table's lock guards what is not const.
  const void* const owner_;
  const Free free_;
  const std::string device_;
  std::unique_ptr<GraphSession> session_;
  int holders_ = 1, users_ = 0;
  int64_t last_use_ = 0;  // by the table's count of uses
  bool released_ = false, retired_ = false, evicting_ = false;
  std::optional<EvictedBytes> evicted_;
};

class ModelTable : public Reclaimable {
 public:
  static ModelTable& Global();

  // Takes a session that `owner` made. Once it is released, `free` gets it when its last use has ended, on
  // that thread; one that is evicted is freed by the evicting thread.
  std::shared_ptr<LoadedGraph> Add(std::unique_ptr<GraphSession> session, const void* owner,
                                   LoadedGraph::Free free);

  // Releases every graph on a device that has failed: some devices are only made anew once none is left.
  void ReleaseDevice(const std::string& device);
  // Waits until those are freed, or `cancelled`: what is loaded before would be given the device that failed.
  void AwaitReleased(const std::string& device, const std::atomic<bool>& cancelled);

  // No graph of `owner` is evicted from here on, nor still being evicted: before its environment ends.
  void Retire(const void* owner);

  // Frees the graphs of `owner` on other devices than the CPU, which nothing is using: they may still be at
  // work for a run that was stopped, with code and state that the end of the process would take from them.
  void FreeOnDevices(const void* owner);

  const char* name() const override { return "models"; }
  int64_t Reclaim(int64_t bytes) override;

 private:
  friend class LoadedGraph;

  // REQUIRES of both: the lock is held; the second releases it while it frees the session, and takes it
  // again.
  std::shared_ptr<LoadedGraph> OldestClaimed() const;
  EvictedBytes Evict(LoadedGraph& graph, std::unique_lock<std::mutex>& lock);

  std::mutex mutex_;  // guards what follows and every graph
  std::condition_variable evicted_;
  std::vector<std::weak_ptr<LoadedGraph>> graphs_;
  std::multimap<std::string, std::weak_ptr<void>> failed_;  // by device, sessions that are being released
  int64_t uses_ = 0;
};

}  // namespace spillway
