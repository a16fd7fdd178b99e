#include "memory/trim.h"

#include <malloc.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "core/cpu.h"

namespace spillway {

// Left alone, glibc raises this threshold (to 32 MiB) each time such a block is freed; from then on weights
// come out of the arenas, and malloc_trim does not cut the end of any arena but the first: after 60 cycles of
// loading and releasing 29 MB the anonymous memory had grown by 1 to 35 MB, with the threshold fixed by none.
void MapLargeBlocks() {
#ifdef M_MMAP_THRESHOLD
  mallopt(M_MMAP_THRESHOLD, 4 << 20);
#endif
}

void TrimHeapSoon() {
  static std::atomic<bool> scheduled{false};
  if (scheduled.exchange(true)) return;
  RunOnThread([] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    scheduled = false;
    malloc_trim(0);
  });
}

}  // namespace spillway
