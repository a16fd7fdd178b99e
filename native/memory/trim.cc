#include "memory/trim.h"

#include <malloc.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "core/cpu.h"

namespace spillway {
namespace {

constinit std::mutex heap;

void SetHeap(int parameter, int value) {
  std::lock_guard lock(heap);
  mallopt(parameter, value);
}

}  // namespace

void TrimHeap() {
  std::lock_guard lock(heap);
  malloc_trim(0);
}

// glibc gives each thread that allocates an arena of its own, up to 8 a core, and free pages stay in each.
// With two, a run over some twenty photos left 43 MB of anonymous memory after a trim instead of 57; set
// before the process starts (MALLOC_ARENA_MAX) it would be less still, since arenas that exist already stay.
// Decoders profit from large blocks of their own: with the threshold fixed a WebP of 3 megapixels took 5 MB
// at its peak instead of 17 and left nothing behind instead of 12.
void LimitArenas() {
  SetHeap(M_ARENA_MAX, 2);
  MapLargeBlocks();
}

// Left alone, glibc raises this threshold (to 32 MiB) each time such a block is freed; from then on weights
// come out of the arenas, and malloc_trim does not cut the end of any arena but the first: after 60 cycles of
// loading and releasing 29 MB the anonymous memory had grown by 1 to 35 MB, with the threshold fixed by none.
// With it glibc raises what may be left at the end of a heap, to twice as much.
void MapLargeBlocks() {
  SetHeap(M_MMAP_THRESHOLD, 4 << 20);
  SetHeap(M_TRIM_THRESHOLD, 1 << 20);
}

// From 64 KiB on glibc merges what it frees with all that is free beside it, and cuts the end where that has
// become larger than M_TRIM_THRESHOLD. The last small block of a session lets its end grow without that: of
// one with convolutions of 590 KB each, 19 of 26 MB stayed. Only the header of this block is ever touched.
HeapEnd::HeapEnd() : block_(std::malloc(128 << 10)) {}

HeapEnd::~HeapEnd() { std::free(block_); }

void TrimHeapSoon() {
  static std::atomic<bool> scheduled{false};
  if (scheduled.exchange(true)) return;
  RunOnThread([] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    scheduled = false;
    TrimHeap();
  });
}

}  // namespace spillway
