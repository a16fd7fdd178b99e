// What the governor measures and tells: plan, levels, readings, events.
#pragma once

#include <cstdint>
#include <string>

namespace spillway {

struct GovernorPlan {
  int64_t resident_bytes = INT64_MAX;  // bounds the resident memory of this process and its children
  double limit_share = 1;              // of the limit that binds, above 0 and up to 1
  std::string proc = "/proc", cgroup = "/sys/fs/cgroup";
  bool operator==(const GovernorPlan&) const = default;
};

enum class PressureLevel : int { kNormal, kElevated, kHigh, kCritical };

inline constexpr double kLevelBegins[] = {0, 0.70, 0.85, 0.95};
// A level is left this far below where it begins, so that a saw-tooth on a threshold does not flap.
inline constexpr double kHysteresis = 0.06;
inline constexpr double kHighBegins = kLevelBegins[static_cast<int>(PressureLevel::kHigh)];
inline constexpr double kHighEnds = kHighBegins - kHysteresis;

inline PressureLevel NextLevel(PressureLevel level, double used_share) {
  int next = static_cast<int>(level);
  while (next < 3 && used_share >= kLevelBegins[next + 1]) ++next;
  while (next > 0 && used_share < kLevelBegins[next] - kHysteresis) --next;
  return static_cast<PressureLevel>(next);
}

// Bytes, but for the first, the share and the last.
struct PressureFigures {
  double at_ms = 0;  // since the epoch
  int64_t resident = 0, children = 0, limit = 0, working_set = 0;
  int64_t budget = 0, headroom = 0;
  double used_share = 0;
  PressureLevel level = PressureLevel::kNormal;
  int64_t unmanaged = 0;
  int64_t stalled_us = -1;  // -1 where it cannot be read
};

struct PressureReading : PressureFigures {
  std::string source;
  int64_t base = 0;  // unmanaged when the plan was made
};

struct PressureEvent {
  enum class Kind : int { kLevel, kFreed, kSpill, kSignal };
  Kind kind;
  PressureLevel previous;
  PressureReading reading;
  std::string reason;
  int64_t bytes = 0;
  std::string account;
};

class PressureListener {
 public:
  // On any thread, with the governor's lock held: takes a copy and returns.
  virtual void OnPressure(const PressureEvent& event) = 0;

 protected:
  ~PressureListener() = default;
};

struct GovernorFigures {
  int64_t samples = 0, cpu_us = 0, evictions = 0, freed_bytes = 0, trims = 0, spills = 0;
  double period_ms = 0;
  int64_t storage_ceiling = INT64_MAX;
};

}  // namespace spillway
