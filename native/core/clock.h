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

}  // namespace spillway
