// Cores this process may really use, and the one place that hands out threads.
#pragma once

#include <functional>

namespace spillway {

// The lesser of the affinity mask and the CPU quota of the tightest cgroup (v1 and v2), at least 1.
// Node 20's availableParallelism() ignores the quota.
int AvailableCores();

// Runs `work` on a thread of the process-wide pool: an idle one, else a new one. Threads are detached and
// parked between uses; at most kMaxThreads exist, further work waits its turn. `work` must not throw.
void RunOnThread(std::function<void()> work);

inline constexpr int kMaxThreads = 64;

}  // namespace spillway
