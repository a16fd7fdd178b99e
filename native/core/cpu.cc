#include "core/cpu.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <deque>
#include <fstream>
#include <mutex>
#include <sstream>
#include <string>
#include <system_error>
#include <thread>

#include "core/never_destroyed.h"
#include "core/slice.h"

namespace spillway {
namespace {

int AffinityCores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return CPU_COUNT(&set);
  return static_cast<int>(std::thread::hardware_concurrency());
}

bool ReadNumbers(const std::string& path, double* first, double* second) {
  std::ifstream file(path);
  std::string word;
  if (!(file >> word) || word == "max") return false;
  *first = std::strtod(word.c_str(), nullptr);
  if (second && !(file >> *second)) return false;
  return true;
}

// Cores a cgroup folder grants, or infinity. v2: "cpu.max"; v1: "cpu.cfs_quota_us" over "cpu.cfs_period_us".
double QuotaOf(const std::string& folder) {
  double quota = 0, period = 0;
  if (ReadNumbers(folder + "/cpu.max", &quota, &period) && period > 0) return quota / period;
  if (ReadNumbers(folder + "/cpu.cfs_quota_us", &quota, nullptr) && quota > 0 &&
      ReadNumbers(folder + "/cpu.cfs_period_us", &period, nullptr) && period > 0)
    return quota / period;
  return INFINITY;
}

// The smallest quota over this process's cgroup and its ancestors.
double QuotaCores() {
  double least = INFINITY;
  std::ifstream file("/proc/self/cgroup");
  std::string line;
  while (std::getline(file, line)) {
    size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    std::string controllers = line.substr(first + 1, second - first - 1), path = line.substr(second + 1);
    std::string root;
    if (controllers.empty()) root = "/sys/fs/cgroup";
    if (("," + controllers + ",").find(",cpu,") != std::string::npos) root = "/sys/fs/cgroup/cpu";
    if (root.empty()) continue;
    for (;;) {
      least = std::min(least, QuotaOf(root + (path == "/" ? "" : path)));
      size_t slash = path.rfind('/');
      if (path.size() <= 1 || slash == std::string::npos) break;
      path.resize(std::max<size_t>(slash, 1));
    }
  }
  return least;
}

class ThreadPool {
 public:
  void Run(std::function<void()> work) {
    std::unique_lock lock(mutex_);
    queue_.push_back(std::move(work));
    if (idle_ >= static_cast<int>(queue_.size()) || threads_ >= kMaxThreads) {
      wake_.notify_one();
      return;
    }
    try {
      std::thread([this] { Loop(); }).detach();
      ++threads_;
    } catch (const std::system_error&) {
      // The system gives no more: those there are do it in their turn.
      if (threads_ == 0) throw;
    }
  }

 private:
  void Loop() {
    TakeUsualSlices();
    std::unique_lock lock(mutex_);
    for (;;) {
      ++idle_;
      wake_.wait(lock, [this] { return !queue_.empty(); });
      --idle_;
      auto work = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      work();
      work = nullptr;  // its captures are freed before the lock is taken again
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  int idle_ = 0;
  int threads_ = 0;
};

NeverDestroyed<ThreadPool> pool;

}  // namespace

int AvailableCores() {
  double cores = std::min<double>(AffinityCores(), std::ceil(QuotaCores()));
  return std::max(1, static_cast<int>(cores));
}

void RunOnThread(std::function<void()> work) { pool->Run(std::move(work)); }

}  // namespace spillway
