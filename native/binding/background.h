// Work of an environment without a promise that must still end before the environment does.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>

#include "core/cpu.h"

namespace spillway {

class Background {
 public:
  // On a thread of ours; here and now once the environment has been stopped.
  void Run(std::function<void()> work) {
    {
      std::lock_guard lock(mutex_);
      if (!closed_) {
        ++running_;
        RunOnThread([this, work = std::move(work)] { Finish(work); });
        return;
      }
    }
    work();
  }

  // Waits for what is running. Harmless when repeated.
  void Close() {
    std::unique_lock lock(mutex_);
    closed_ = true;
    idle_.wait(lock, [this] { return running_ == 0; });
  }

 private:
  void Finish(const std::function<void()>& work) {
    work();
    std::lock_guard lock(mutex_);
    if (--running_ == 0) idle_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable idle_;
  int running_ = 0;
  bool closed_ = false;
};

}  // namespace spillway
