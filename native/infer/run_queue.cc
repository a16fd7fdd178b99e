#include "infer/run_queue.h"

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/cpu.h"
#include "core/never_destroyed.h"
#include "core/slice.h"

namespace spillway {

// A second of waiting counts for as much as one step of priority, as in src/util/due.ts.
static constexpr double kAgeMs = 1000;

// Gives out something of which there is so much: runs take their share of it, some none, and wait for it.
class RunTurns {
 public:
  explicit RunTurns(int whole) : whole_(whole) {}

  static RunTurns& Of(const std::string& device) {
    static NeverDestroyed<RunTurns> cores(AvailableCores()), webgpu(1);
    return device == "webgpu" ? *webgpu : *cores;
  }

  int whole() const { return whole_; }

  void Push(RunQueue& queue, RunQueue::Waiting run) {
    std::lock_guard lock(mutex_);
    run.serial = ++serial_;
    if (queue.waiting_.empty()) queues_.push_back(queue.shared_from_this());
    queue.waiting_.insert(std::upper_bound(queue.waiting_.begin(), queue.waiting_.end(), run),
                          std::move(run));
    Start();
  }

  bool Remove(RunQueue& queue, const void* name) {
    std::lock_guard lock(mutex_);
    if (std::erase_if(queue.waiting_, [name](const auto& run) { return run.name == name; }) == 0)
      return false;
    if (queue.waiting_.empty()) Forget(queue);
    Start();  // it may have been what others had to wait behind
    return true;
  }

 private:
  struct Turn {
    std::shared_ptr<RunQueue> queue;
    RunQueue::Work work;
  };

  // REQUIRES of all but Serve: the lock is held.

  void Forget(RunQueue& queue) {
    std::erase_if(queues_, [&queue](const auto& each) { return each.get() == &queue; });
  }

  // The session whose first run is to begin now; null where none may.
  std::shared_ptr<RunQueue> Choose() const {
    std::shared_ptr<RunQueue> first;
    for (const auto& queue : queues_) {
      if (queue->running_ == queue->limit_) continue;
      if (queue->share_ == 0) return queue;
      if (!first || queue->waiting_.front() < first->waiting_.front()) first = queue;
    }
    return first && first->share_ <= free_ ? first : nullptr;
  }

  // Takes the next run and its share; false where none may begin.
  bool Take(Turn* turn) {
    turn->queue = Choose();
    if (!turn->queue) return false;
    RunQueue& queue = *turn->queue;
    turn->work = std::move(queue.waiting_.front().work);
    queue.waiting_.pop_front();
    if (queue.waiting_.empty()) Forget(queue);
    ++queue.running_;
    free_ -= queue.share_;
    return true;
  }

  // Begins what may begin, each on a thread of its own.
  void Start() {
    for (Turn turn; Take(&turn);)
      RunOnThread([this, turn = std::move(turn)]() mutable { Serve(std::move(turn)); });
  }

  // On a thread of ours: this run, then whatever comes next.
  void Serve(Turn turn) {
    const LongSlices slices;
    for (;;) {
      turn.work();
      turn.work = nullptr;  // its captures are freed before the lock is taken
      std::lock_guard lock(mutex_);
      --turn.queue->running_;
      free_ += turn.queue->share_;
      Turn next;
      if (!Take(&next)) return;
      Start();
      turn = std::move(next);
    }
  }

  const int whole_;

  std::mutex mutex_;                               // guards what follows, and what the queues say
  std::vector<std::shared_ptr<RunQueue>> queues_;  // those in which a run waits
  int free_ = whole_;
  uint64_t serial_ = 0;
};

RunQueue::RunQueue(int limit, const std::string& device, int threads)
    : turns_(RunTurns::Of(device)),
      limit_(limit),
      share_(device == "cuda"  ? 0
             : device == "cpu" ? std::min(threads, turns_.whole())
                               : turns_.whole()) {}

void RunQueue::Push(const void* name, double priority, Work work) {
  const double due = static_cast<double>(CoarseMilliseconds()) - priority * kAgeMs;
  turns_.Push(*this, {due, 0, name, std::move(work)});
}

bool RunQueue::Remove(const void* name) { return turns_.Remove(*this, name); }

}  // namespace spillway
