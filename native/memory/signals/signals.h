// All signals together: what is used, and how much is left under the limit that binds.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "memory/signals/cgroup.h"
#include "memory/signals/meminfo.h"
#include "memory/signals/psi.h"
#include "memory/signals/statm.h"

namespace spillway {

struct Observation {
  int64_t resident = 0, children = 0;
  // The limit under which least is left.
  int64_t limit = 0, working_set = 0;
  std::string source;
  // The share of the tightest limit, and the least that is left under any once the rest of that limit is left
  // free.
  int64_t limit_budget = 0, limit_headroom = 0;
  int64_t stalled_us = -1;
};

// Not thread-safe. Reading allocates nothing while the sources stay the same.
class Signals {
 public:
  // The folders stand for /proc and /sys/fs/cgroup.
  Signals(const std::string& proc, const std::string& cgroup);

  // `share`: of the tightest limit, above 0 and up to 1. `resident_bound`: bytes this process and its
  // children may hold.
  void Observe(double share, int64_t resident_bound, Observation* observation);
  // The next Observe() looks at everything, also at what decides nothing.
  void Expire() {
    machine_read_ms_ = stalls_read_ms_ = resident_read_ms_ = groups_found_ms_ = groups_opened_ms_ = kLongAgo;
  }
  void Include(int pid) { resident_.Include(pid); }
  void Exclude(int pid) { resident_.Exclude(pid); }
  std::vector<int> Children() const { return resident_.Pids(); }

  // Every source: what is read, or why it is not.
  std::vector<std::string> Describe() const;
  // Sentences on what was lost or came back since the last call.
  std::vector<std::string> TakeChanges() { return std::exchange(changes_, {}); }

 private:
  static constexpr int64_t kLongAgo = INT64_MIN / 2;

  void LookForGroups();
  void ReadLimits(const Observation& observation);
  void ReadMachine();
  int64_t ReadResident();
  int64_t ReadStalls();
  // Whether what was read at `read_ms`, which is set then, is to be read again.
  static bool Due(bool far, int64_t* read_ms);
  template <typename Signal>
  void Note(bool* readable, bool now, const Signal& signal);

  const std::string proc_;
  Resident resident_;
  Cgroups groups_;
  Machine machine_;
  Stalls stalls_;
  ReadBuffer buffer_;
  std::vector<MemoryLimit> limits_;
  std::optional<MemoryLimit> machine_limit_;
  const std::string process_ = "process";
  int64_t own_resident_ = 0, stalled_us_ = -1;
  int64_t machine_read_ms_ = kLongAgo, stalls_read_ms_ = kLongAgo, resident_read_ms_ = kLongAgo;
  int64_t groups_found_ms_, groups_opened_ms_;
  bool machine_far_ = false, resident_tells_only_ = false, limits_far_ = false, groups_complete_ = true;
  bool statm_readable_ = true, machine_readable_ = true, stalls_readable_ = true;
  std::vector<std::string> changes_;
};

}  // namespace spillway
