#include "memory/signals/signals.h"

#include <algorithm>
#include <cmath>

#include "core/clock.h"

namespace spillway {
namespace {

// How often the machine is read while it has this much more left than a group has: nobody takes more
// meanwhile.
constexpr int64_t kMachineEveryMs = 500;
constexpr int64_t kMachineFarBytes = 1'000'000'000;
constexpr int64_t kGroupsEveryMs = 1000;     // a process is rarely moved, and looking costs some 30 µs,
constexpr int64_t kLostGroupsEveryMs = 100;  // but a group that has gone is noticed by the next read

int64_t Left(const MemoryLimit& limit) { return limit.bytes - limit.working_set; }

}  // namespace

Signals::Signals(const std::string& proc, const std::string& cgroup)
    : proc_(proc),
      resident_(proc),
      groups_(proc, cgroup),
      machine_(proc),
      stalls_(proc, groups_.UnifiedFolder()),
      groups_found_ms_(CoarseMilliseconds()) {
  stalls_readable_ = stalls_.Read(buffer_) >= 0;
  machine_limit_ = machine_.Read(buffer_);
  machine_readable_ = machine_limit_.has_value();
  resident_.Own(buffer_);
  statm_readable_ = resident_.readable();
}

template <typename Signal>
void Signals::Note(bool* readable, bool now, const Signal& signal) {
  if (*readable == now) return;
  *readable = now;
  changes_.push_back((now ? "a signal came back: " : "a signal was lost: ") + signal.Describe());
}

void Signals::Observe(double share, Observation* observation) {
  LookForGroups();
  observation->resident = resident_.Own(buffer_);
  Note(&statm_readable_, resident_.readable(), resident_);
  observation->children = resident_.Children(buffer_);
  observation->stalled_us = stalls_.Read(buffer_);
  Note(&stalls_readable_, observation->stalled_us >= 0, stalls_);
  ReadLimits(*observation);

  int64_t tightest = INT64_MAX;
  for (const MemoryLimit& limit : limits_) tightest = std::min(tightest, limit.bytes);
  observation->limit_budget = static_cast<int64_t>(std::floor(static_cast<double>(tightest) * share));
  // As many bytes stay free under a wider limit, which is not ours alone, as under the tightest.
  const int64_t spared = tightest - observation->limit_budget;
  const MemoryLimit* nearest = nullptr;
  for (const MemoryLimit& limit : limits_)
    if (!nearest || Left(limit) <= Left(*nearest)) nearest = &limit;
  observation->limit = nearest->bytes;
  observation->working_set = nearest->working_set;
  observation->limit_headroom = Left(*nearest) - spared;
  observation->source = *nearest->source;
  machine_far_ = machine_limit_ && Left(*machine_limit_) > Left(*nearest) + kMachineFarBytes;
}

void Signals::LookForGroups() {
  const int64_t now = CoarseMilliseconds();
  if (now - groups_found_ms_ < (groups_complete_ ? kGroupsEveryMs : kLostGroupsEveryMs)) return;
  groups_found_ms_ = now;
  if (!groups_.Refresh(buffer_)) return;
  groups_complete_ = true;
  stalls_ = Stalls(proc_, groups_.UnifiedFolder());
  changes_.push_back("the memory cgroups of this process changed: " + groups_.Describe() + " from now on");
}

// Never leaves `limits_` empty: at the worst this process alone counts against the machine.
void Signals::ReadLimits(const Observation& observation) {
  ReadMachine();
  limits_.clear();
  const bool complete = groups_.Read(buffer_, machine_.bytes(), &limits_);
  if (groups_complete_ && !complete)
    changes_.push_back("a memory cgroup cannot be read any more: " + groups_.Describe() +
                       " is looked for again");
  if (!groups_complete_ && complete)
    changes_.push_back("every memory cgroup can be read again: " + groups_.Describe());
  groups_complete_ = complete;
  if (machine_limit_) limits_.push_back(*machine_limit_);
  if (limits_.empty())
    limits_.push_back({machine_.bytes(), observation.resident + observation.children, &process_});
}

void Signals::ReadMachine() {
  const int64_t now = CoarseMilliseconds();
  if (machine_far_ && now - machine_read_ms_ < kMachineEveryMs) return;
  machine_read_ms_ = now;
  machine_limit_ = machine_.Read(buffer_);
  Note(&machine_readable_, machine_limit_.has_value(), machine_);
}

std::vector<std::string> Signals::Describe() const {
  return {groups_.Describe(), machine_.Describe(), resident_.Describe(), stalls_.Describe()};
}

}  // namespace spillway
