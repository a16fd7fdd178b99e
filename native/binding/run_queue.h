// The runs of one session, a few at a time: more would only share the cores and hold memory meanwhile. A
// thread that has done one takes the next that waits, without a turn of JavaScript between them.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include "core/cpu.h"

namespace spillway {

class RunQueue : public std::enable_shared_from_this<RunQueue> {
 public:
  using Work = std::function<void()>;

  // `limit` runs at a time, at least one.
  explicit RunQueue(int limit) : limit_(limit) {}

  // Runs `work` on a thread of ours, in the order of the pushes. `name` is what Remove knows it by.
  void Push(const void* name, Work work) {
    std::lock_guard lock(mutex_);
    waiting_.emplace_back(name, std::move(work));
    if (running_ == limit_) return;
    ++running_;
    RunOnThread([self = shared_from_this()] { self->Drain(); });
  }

  // Takes back what has not begun; false where it has.
  bool Remove(const void* name) {
    std::lock_guard lock(mutex_);
    return std::erase_if(waiting_, [name](const auto& entry) { return entry.first == name; }) > 0;
  }

 private:
  void Drain() {
    std::unique_lock lock(mutex_);
    while (!waiting_.empty()) {
      Work work = std::move(waiting_.front().second);
      waiting_.pop_front();
      lock.unlock();
      work();
      lock.lock();
    }
    --running_;
  }

  const int limit_;
  std::mutex mutex_;
  std::deque<std::pair<const void*, Work>> waiting_;
  int running_ = 0;
};

}  // namespace spillway
