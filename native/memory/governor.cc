#include "memory/governor.h"

#include <time.h>

#include <algorithm>

#include "core/never_destroyed.h"
#include "memory/governor_reasons.h"

namespace spillway {
namespace {

// One step of freeing: some milliseconds for small entries. Many bytes are freed in larger ones, so that
// there is not an event for each.
constexpr int64_t kStepBytes = 8 << 20;
constexpr int64_t kMostSteps = 16;

double EpochMilliseconds() {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

}  // namespace

Governor& Governor::Global() {
  static NeverDestroyed<Governor> governor;
  return *governor;
}

void Governor::Configure(const GovernorPlan& plan, const void* owner) {
  Lock lock(mutex_);
  if (owner_) booking_.End();
  owner_ = owner;
  UsePlan(plan);
  Observe();
  booking_.Begin(reading_.budget, reading_.headroom);
  Sample();
  WakeThread();
}

void Governor::Forget(const void* owner) {
  Lock lock(mutex_);
  if (owner_ != owner) return;
  owner_ = nullptr;
  booking_.End();
  UsePlan(GovernorPlan());
  WakeThread();
}

// The children that are counted stay so under other roots.
void Governor::UsePlan(const GovernorPlan& plan) {
  const bool elsewhere = plan.proc != plan_.proc || plan.cgroup != plan_.cgroup;
  plan_ = plan;
  fresh_ = true;
  if (!elsewhere && signals_) return;
  const std::vector<int> children = signals_ ? signals_->Children() : std::vector<int>();
  signals_.emplace(plan.proc, plan.cgroup);
  for (int pid : children) signals_->Include(pid);
}

PressureReading Governor::Measure() {
  Lock lock(mutex_);
  if (signals_) signals_->Expire();
  Sample();
  return reading_;
}

PressureReading Governor::Look() {
  Lock lock(mutex_);
  Sample();
  return reading_;
}

std::vector<std::string> Governor::Sources() {
  Lock lock(mutex_);
  if (!signals_) UsePlan(plan_);
  return signals_->Describe();
}

void Governor::Include(int pid) {
  Lock lock(mutex_);
  if (!signals_) UsePlan(plan_);
  signals_->Include(pid);
}

void Governor::Exclude(int pid) {
  Lock lock(mutex_);
  if (signals_) signals_->Exclude(pid);
}

void Governor::Listen(PressureListener* listener) {
  Lock lock(mutex_);
  listeners_.push_back(listener);
  WakeThread();
}

void Governor::Ignore(PressureListener* listener) {
  Lock lock(mutex_);
  std::erase(listeners_, listener);
  WakeThread();
}

std::vector<PressureFigures> Governor::History() {
  Lock lock(mutex_);
  return history_.Read();
}

GovernorFigures Governor::Figures() {
  Lock lock(mutex_);
  GovernorFigures figures = figures_;
  figures.storage_ceiling = Ledger::Global().StorageCeiling();
  return figures;
}

int64_t Governor::Reclaim(int64_t bytes) {
  Lock lock(mutex_);
  if (!signals_) Sample();
  return FreeStorage(bytes, false, lock);
}

// Reads every signal into `reading_`; its level is that of before.
void Governor::Observe() {
  if (!signals_) UsePlan(plan_);
  signals_->Observe(plan_.limit_share, plan_.resident_bytes, &observation_);
  const Observation& seen = observation_;
  reading_.at_ms = EpochMilliseconds();
  reading_.resident = seen.resident;
  reading_.children = seen.children;
  reading_.limit = seen.limit;
  reading_.working_set = seen.working_set;
  reading_.stalled_us = seen.stalled_us;
  reading_.source = seen.source;
  reading_.budget = std::max<int64_t>(1, std::min(plan_.resident_bytes, seen.limit_budget));
  const int64_t by_size = plan_.resident_bytes - seen.resident - seen.children;
  by_size_ = by_size <= seen.limit_headroom;
  reading_.headroom = std::min(by_size, seen.limit_headroom);
  reading_.used_share =
      static_cast<double>(reading_.budget - reading_.headroom) / static_cast<double>(reading_.budget);
}

void Governor::Sample() {
  Observe();
  ++figures_.samples;
  if (owner_) booking_.Book(reading_.budget, reading_.headroom);
  reading_.unmanaged = owner_ ? booking_.unmanaged() : 0;
  reading_.base = owner_ ? booking_.base() : 0;
  const PressureLevel previous = reading_.level;
  reading_.level = NextLevel(fresh_ ? PressureLevel::kNormal : previous, reading_.used_share);
  fresh_ = false;
  history_.Add(reading_);
  for (std::string& change : signals_->TakeChanges())
    Publish(PressureEvent::Kind::kSignal, reading_.level, std::move(change));
  if (reading_.level == previous) return;
  Publish(PressureEvent::Kind::kLevel, previous, DescribePressure(reading_, by_size_));
  if (reading_.level > previous) WakeThread();
}

void Governor::Publish(PressureEvent::Kind kind, PressureLevel previous, std::string reason, int64_t bytes,
                       const char* account) {
  if (listeners_.empty()) return;
  const PressureEvent event{kind, previous, reading_, std::move(reason), bytes, account};
  for (PressureListener* listener : listeners_) listener->OnPressure(event);
}

// Down to where HIGH ends.
int64_t Governor::BytesToCalm() const {
  const auto calm = static_cast<int64_t>(kHighEnds * static_cast<double>(reading_.budget));
  return std::max<int64_t>(0, reading_.budget - reading_.headroom - calm);
}

// In steps with a measurement after each: what others give back meanwhile is not asked for again.
int64_t Governor::FreeStorage(int64_t bytes, bool until_calm, Lock& lock) {
  const int64_t step = std::max(kStepBytes, bytes / kMostSteps);
  int64_t sum = 0;
  for (Reclaimable* each : Reclaimables()) {
    for (int64_t freed = 1; sum < bytes && freed > 0; sum += freed) {
      freed = FreeStep(*each, std::min(step, bytes - sum), lock);
      if (until_calm && reading_.level < PressureLevel::kHigh) return sum + freed;
    }
  }
  return sum;
}

int64_t Governor::FreeStep(Reclaimable& reclaimable, int64_t bytes, Lock& lock) {
  // What is freed must not be taken again by whoever fills a cache at this moment.
  const int64_t withheld = booking_.withheld();
  if (owner_) booking_.HoldStorage(bytes);
  lock.unlock();
  const int64_t freed = reclaimable.Reclaim(bytes);
  lock.lock();
  Sample();
  if (owner_ && freed > 0) booking_.HoldStorage(0);
  if (owner_ && freed == 0) booking_.Withhold(withheld);
  if (freed == 0) return 0;
  ++figures_.evictions;
  figures_.freed_bytes += freed;
  Publish(PressureEvent::Kind::kFreed, reading_.level,
          std::string(reclaimable.name()) + " gave " + FormatSize(freed) +
              " back: " + DescribePressure(reading_, by_size_),
          freed, reclaimable.name());
  return freed;
}

}  // namespace spillway
