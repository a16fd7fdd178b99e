#include "memory/trim.h"

#include <malloc.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "core/cpu.h"

namespace spillway {

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
