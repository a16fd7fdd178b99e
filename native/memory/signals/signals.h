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

  // `share`: of the tightest limit, above 0 and up to 1.
  void Observe(double share, Observation* observation);
  void Include(int pid) { resident_.Include(pid); }
  void Exclude(int pid) { resident_.Exclude(pid); }
  std::vector<int> Children() const { return resident_.Pids(); }

  // Every source: what is read, or why it is not.
  std::vector<std::string> Describe() const;
  // Sentences on what was lost or came back since the last call.
  std::vector<std::string> TakeChanges() { return std::exchange(changes_, {}); }

 private:
  void LookForGroups();
  void ReadLimits(const Observation& observation);
  void ReadMachine();
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
  int64_t machine_read_ms_ = 0, groups_found_ms_ = 0;
  bool machine_far_ = false, groups_complete_ = true;
  bool statm_readable_ = true, machine_readable_ = true, stalls_readable_ = true;
  std::vector<std::string> changes_;
};

}  // namespace spillway
