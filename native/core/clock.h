// Time that only goes forward.
#pragma once

#include <time.h>

#include <cstdint>

namespace spillway {

// Milliseconds since some moment, to the kernel's tick (4 ms at most): a read costs about as much as a call.
inline int64_t CoarseMilliseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

// Milliseconds since some moment, to the nanosecond.
inline double Milliseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

}  // namespace spillway
