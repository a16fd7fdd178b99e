// The governor's thread: when it looks, and what it does about what it sees.
#include <time.h>

#include <algorithm>
#include <chrono>

#include "core/cpu.h"
#include "memory/governor.h"
#include "memory/governor_reasons.h"
#include "memory/library_pages.h"
#include "memory/trim.h"

namespace spillway {
namespace {

constexpr double kShortestMs = 5, kLongestMs = 95;
// A group of 256 MB that grew by 500 MB/s was killed when looked at every 100 ms: we look four times before
// the headroom is gone, and before somebody who allocates 1 GB/s could use it up.
constexpr double kLooks = 4;
constexpr double kFastestGrowth = 1e6;  // bytes a millisecond
constexpr double kNothingLeftMs = 32;   // between samples at HIGH, while there is nothing to free
constexpr double kGapMs = 400;          // beyond the period: the process was stopped, or starved of CPU
constexpr double kTrimEveryMs = 500, kTrimSeldomMs = 8000;
constexpr double kSpillEveryMs = 200;
constexpr double kGrowthFades = 0.5;  // of what it was, in each sample that sees less

double ClockMs(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

void TrimProcess() {
  DropLibraryPages("libonnxruntime");
  DropLibraryPages("libvips");
  TrimHeap();
}

}  // namespace

void Governor::WakeThread() {
  woken_ = true;
  wake_.notify_one();
  if (running_ || !Wanted()) return;
  running_ = true;
  RunOnThread([this] { Run(); });
}

void Governor::Run() {
  Lock lock(mutex_);
  double cpu_ms = ClockMs(CLOCK_THREAD_CPUTIME_ID);
  double slept_ms = 0;
  while (Wanted()) {
    woken_ = false;
    const double now_ms = ClockMs(CLOCK_MONOTONIC);
    Sample();
    NoticeSleep(slept_ms);
    const bool freed = reading_.level >= PressureLevel::kHigh && Act(lock);
    if (reading_.level < PressureLevel::kHigh) trim_every_ms_ = 0;
    figures_.period_ms = Period(now_ms, freed);
    const double cpu_now_ms = ClockMs(CLOCK_THREAD_CPUTIME_ID);
    figures_.cpu_us += static_cast<int64_t>((cpu_now_ms - cpu_ms) * 1e3);
    cpu_ms = cpu_now_ms;
    const double asleep_ms = ClockMs(CLOCK_MONOTONIC);
    wake_.wait_for(lock, std::chrono::duration<double, std::milli>(figures_.period_ms),
                   [this] { return woken_; });
    slept_ms = ClockMs(CLOCK_MONOTONIC) - asleep_ms;
  }
  running_ = false;
}

// What has been calm all that time is let grow; a sleep that was far too long is told.
void Governor::NoticeSleep(double slept_ms) {
  if (owner_ && reading_.level == PressureLevel::kNormal)
    booking_.LetStorageGrow(std::min(slept_ms, kLongestMs) / 1e3);
  if (slept_ms < figures_.period_ms + kGapMs) return;
  Publish(PressureEvent::Kind::kSignal, reading_.level,
          "no sample was taken for " + std::to_string(static_cast<int64_t>(slept_ms)) +
              " ms: this process was stopped, or had no processor");
}

// True where storage was freed.
bool Governor::Act(Lock& lock) {
  const int64_t wanted = BytesToCalm();
  const int64_t freed = FreeStorage(wanted, true, lock);
  // Where storage gave all that it was asked for, others have grown meanwhile, and there may be more of it.
  if (reading_.level < PressureLevel::kHigh || freed >= wanted) return freed > 0;
  const double now_ms = ClockMs(CLOCK_MONOTONIC);
  GiveFreePagesBack(now_ms);
  AskToSpill(now_ms);
  return freed > 0;
}

// Less and less often while it does not help.
void Governor::GiveFreePagesBack(double now_ms) {
  if (now_ms - trimmed_ms_ < std::max(trim_every_ms_, kTrimEveryMs)) return;
  trim_every_ms_ = std::clamp(2 * trim_every_ms_, kTrimEveryMs, kTrimSeldomMs);
  trimmed_ms_ = now_ms;
  ++figures_.trims;
  RunOnThread(TrimProcess);
}

void Governor::AskToSpill(double now_ms) {
  const int64_t bytes = BytesToCalm();
  if (bytes == 0 || now_ms - spilled_ms_ < kSpillEveryMs) return;
  spilled_ms_ = now_ms;
  ++figures_.spills;
  Publish(PressureEvent::Kind::kSpill, reading_.level,
          FormatSize(bytes) + " more should be freed: " + DescribePressure(reading_, by_size_), bytes);
}

double Governor::Period(double now_ms, bool freed) {
  const int64_t used = reading_.budget - reading_.headroom;
  const double since_ms = std::max(1.0, now_ms - grown_ms_);
  const double growth = static_cast<double>(used - used_before_) / since_ms;
  growth_ = std::max({growth, growth_ * kGrowthFades, 0.0});
  grown_ms_ = now_ms;
  used_before_ = used;
  if (reading_.level >= PressureLevel::kHigh && !freed) return kNothingLeftMs;
  const double longest = reading_.level >= PressureLevel::kHigh ? kNothingLeftMs : kLongestMs;
  const auto headroom = static_cast<double>(reading_.headroom);
  double period = headroom / kFastestGrowth;
  if (growth_ > 0) {
    const double to_high = (kHighBegins - reading_.used_share) * static_cast<double>(reading_.budget);
    period = std::min(period, headroom / growth_ / kLooks);
    if (to_high > 0) period = std::min(period, to_high / growth_ / 2);
  }
  return std::clamp(period, kShortestMs, longest);
}

}  // namespace spillway
