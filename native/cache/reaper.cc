#include "cache/reaper.h"

#include <chrono>
#include <mutex>
#include <thread>
#include <vector>

#include "core/cpu.h"
#include "core/never_destroyed.h"

namespace spillway {
namespace {

constexpr auto kPeriod = std::chrono::milliseconds(250);

class Reaper {
 public:
  void Watch(std::weak_ptr<CacheTable> table) {
    std::lock_guard lock(mutex_);
    watched_.push_back(std::move(table));
    if (running_) return;
    running_ = true;
    RunOnThread([this] { Loop(); });
  }

 private:
  void Loop() {
    do std::this_thread::sleep_for(kPeriod);
    while (Round());
  }

  // False where nothing is left to look after, and the thread goes.
  bool Round() {
    std::vector<std::weak_ptr<CacheTable>> tables;
    {
      std::lock_guard lock(mutex_);
      tables.swap(watched_);
    }
    std::erase_if(tables, [](const std::weak_ptr<CacheTable>& weak) {
      const std::shared_ptr<CacheTable> table = weak.lock();
      if (!table) return true;
      table->Expire();
      if (table->Timed() > 0) return false;
      // In this order: an entry that comes after the count finds the table unwatched and watches it again.
      table->watched = false;
      return table->Timed() == 0 || table->watched.exchange(true);
    });
    std::lock_guard lock(mutex_);
    watched_.insert(watched_.end(), tables.begin(), tables.end());
    running_ = !watched_.empty();
    return running_;
  }

  std::mutex mutex_;  // guards what follows
  std::vector<std::weak_ptr<CacheTable>> watched_;
  bool running_ = false;
};

NeverDestroyed<Reaper> reaper;

}  // namespace

void WatchForExpiry(CacheTable& table) {
  if (table.watched.load(std::memory_order_relaxed) || table.watched.exchange(true)) return;
  reaper->Watch(table.weak_from_this());
}

}  // namespace spillway
