// Whose turn it is among the runs of all sessions of this process.
//
// A run on the processor takes as many cores as its session has threads: runs that had to share them would
// only slow each other down, and hold memory meanwhile. A run on WebGPU takes the whole device, for which
// DevicePass has the reason; on CUDA none waits. What waits goes by priority and age. The most urgent is
// never passed by one that needs fewer cores, or a stream of these would keep it waiting for ever. A thread
// that has done a run takes the next one, without a turn of JavaScript between them.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

namespace spillway {

class RunTurns;

// The runs of one session. Thread-safe.
class RunQueue : public std::enable_shared_from_this<RunQueue> {
 public:
  using Work = std::function<void()>;

  // `limit` runs at a time, at least one, on the CPU each on `threads` of its cores, or on all of them if it
  // has fewer.
  RunQueue(int limit, const std::string& device, int threads);

  // Runs `work`, which must not throw, on a thread of ours once its turn has come: a second of waiting counts
  // for one step of `priority`, a finite number, and equals go in the order of the pushes. `name` is what
  // Remove knows it by.
  void Push(const void* name, double priority, Work work);

  // Takes back what has not begun; false where it has.
  bool Remove(const void* name);

 private:
  friend class RunTurns;

  struct Waiting {
    double due;  // earlier goes first: in milliseconds, when it came less what its priority is worth
    uint64_t serial;
    const void* name;
    Work work;

    bool operator<(const Waiting& other) const {
      return due != other.due ? due < other.due : serial < other.serial;
    }
  };

  RunTurns& turns_;
  const int limit_, share_;  // the latter of what its turns give out
  // The lock of the turns guards what follows.
  std::deque<Waiting> waiting_;  // in order
  int running_ = 0;
};

}  // namespace spillway
