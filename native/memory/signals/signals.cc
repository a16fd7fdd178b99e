#include "memory/signals/signals.h"

#include <algorithm>
#include <cmath>

#include "core/clock.h"

namespace spillway {
namespace {

// A sample takes some 100 µs, half of it the bare waking up and 10 to 40 each read, so what decides nothing
// is read this seldom: resident memory where only limits bind, stalls while no limit is near, and the machine
// while it has so much more left than a group has that nobody takes it meanwhile.
constexpr int64_t kSeldomMs = 1000;
constexpr int64_t kMachineFarBytes = 1'000'000'000;
constexpr double kFarShare = 0.5;
constexpr int64_t kGroupsEveryMs = 1000;   // a process is rarely moved, and a controller more rarely enabled,
constexpr int64_t kGroupsAnewMs = 10'000;  // for which every file is opened again,
constexpr int64_t kLostGroupsEveryMs = 100;  // but a group that has gone is noticed by the next read

int64_t Left(const MemoryLimit& limit) { return limit.bytes - limit.working_set; }

}  // namespace

Signals::Signals(const std::string& proc, const std::string& cgroup)
    : proc_(proc),
      resident_(proc),
      groups_(proc, cgroup),
      machine_(proc),
      stalls_(proc, groups_.UnifiedFolder()),
      groups_found_ms_(CoarseMilliseconds()),
      groups_opened_ms_(groups_found_ms_) {
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

void Signals::Observe(double share, int64_t resident_bound, Observation* observation) {
  LookForGroups();
  observation->resident = ReadResident();
  observation->children = resident_.Children(buffer_);
  observation->stalled_us = ReadStalls();
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
  resident_tells_only_ = resident_bound >= tightest;
  limits_far_ = static_cast<double>(Left(*nearest)) > kFarShare * static_cast<double>(nearest->bytes);
}

void Signals::LookForGroups() {
  const int64_t now = CoarseMilliseconds();
  if (now - groups_found_ms_ < (groups_complete_ ? kGroupsEveryMs : kLostGroupsEveryMs)) return;
  groups_found_ms_ = now;
  const bool anew = !groups_complete_ || now - groups_opened_ms_ >= kGroupsAnewMs;
  if (anew) groups_opened_ms_ = now;
  if (!groups_.Refresh(buffer_, anew)) return;
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

bool Signals::Due(bool far, int64_t* read_ms) {
  const int64_t now = CoarseMilliseconds();
  if (far && now - *read_ms < kSeldomMs) return false;
  *read_ms = now;
  return true;
}

void Signals::ReadMachine() {
  if (!Due(machine_far_, &machine_read_ms_)) return;
  machine_limit_ = machine_.Read(buffer_);
  Note(&machine_readable_, machine_limit_.has_value(), machine_);
}

int64_t Signals::ReadResident() {
  if (!Due(resident_tells_only_, &resident_read_ms_)) return own_resident_;
  own_resident_ = resident_.Own(buffer_);
  Note(&statm_readable_, resident_.readable(), resident_);
  return own_resident_;
}

int64_t Signals::ReadStalls() {
  if (!Due(limits_far_, &stalls_read_ms_)) return stalled_us_;
  stalled_us_ = stalls_.Read(buffer_);
  Note(&stalls_readable_, stalled_us_ >= 0, stalls_);
  return stalled_us_;
}

std::vector<std::string> Signals::Describe() const {
  return {groups_.Describe(), machine_.Describe(), resident_.Describe(), stalls_.Describe()};
}

}  // namespace spillway
