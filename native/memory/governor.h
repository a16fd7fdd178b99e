// Watches memory and gives storage back before the kernel or the budget is met, also while JavaScript is
// blocked.
//
// One for the process, never destroyed. Its thread runs while a plan holds or somebody listens: it reads the
// signals, books in the ledger what no account explains, and from HIGH on frees storage down to where HIGH
// ends: first what is Reclaimable, then free pages of the heap and code of libraries; at last it asks
// JavaScript. After each step it measures again. The period follows the headroom and how fast it goes.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "memory/governor_booking.h"
#include "memory/pressure.h"
#include "memory/pressure_history.h"
#include "memory/reclaimable.h"
#include "memory/signals/signals.h"

namespace spillway {

// Thread-safe. One lock guards everything; it is held for a measurement (some 20 µs), never while storage is
// freed.
class Governor {
 public:
  static Governor& Global();

  // The plan holds until `owner` is forgotten or another is made.
  void Configure(const GovernorPlan& plan, const void* owner);
  // Takes the plan back where `owner` made it.
  void Forget(const void* owner);

  PressureReading Measure();
  // As the thread looks: what decides nothing at present may be a second old. A fraction of what Measure
  // costs.
  PressureReading Look();
  std::vector<std::string> Sources();
  void Include(int pid);
  void Exclude(int pid);

  void Listen(PressureListener* listener);
  // No event reaches the listener once this has returned.
  void Ignore(PressureListener* listener);

  std::vector<PressureFigures> History();
  GovernorFigures Figures();

  // Frees storage now, on the calling thread; returns the bytes freed.
  int64_t Reclaim(int64_t bytes);

 private:
  using Lock = std::unique_lock<std::mutex>;

  // REQUIRES of the rest: the lock is held; those that take it release it for a while.
  void UsePlan(const GovernorPlan& plan);
  void Observe();
  void Sample();
  void Publish(PressureEvent::Kind kind, PressureLevel previous, std::string reason, int64_t bytes = 0,
               const char* account = "");
  int64_t BytesToCalm() const;
  // `until_calm`: stops as soon as the level is below HIGH.
  int64_t FreeStorage(int64_t bytes, bool until_calm, Lock& lock);
  int64_t FreeStep(Reclaimable& reclaimable, int64_t bytes, Lock& lock);

  // The thread (governor_thread.cc).
  bool Wanted() const { return owner_ || !listeners_.empty(); }
  void WakeThread();
  void Run();
  void NoticeSleep(double slept_ms);
  bool Act(Lock& lock);
  void GiveFreePagesBack(double now_ms);
  void AskToSpill(double now_ms);
  double Period(double now_ms, bool freed);

  std::mutex mutex_;
  std::condition_variable wake_;
  bool running_ = false, woken_ = false;
  std::vector<PressureListener*> listeners_;
  const void* owner_ = nullptr;  // of the plan; null where none holds
  GovernorPlan plan_;
  std::optional<Signals> signals_;  // opened when first needed
  Observation observation_;
  PressureReading reading_;
  bool fresh_ = true;     // no level yet under this plan
  bool by_size_ = false;  // whether the bound on resident memory is nearest
  GovernorBooking booking_;
  PressureHistory history_;
  GovernorFigures figures_;

  // Times of the thread, monotonic milliseconds.
  double grown_ms_ = 0, trimmed_ms_ = 0, spilled_ms_ = 0;
  double trim_every_ms_ = 0;
  int64_t used_before_ = 0;
  double growth_ = 0;  // bytes a millisecond
};

}  // namespace spillway
