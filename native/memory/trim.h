// The C heap: giving its free pages back to the system.
//
// All that we ask of glibc's allocator goes through here, one call at a time: where another allocator stands
// in its place (jemalloc or a sanitizer, preloaded) the first of these calls sets it up, and two threads
// that make it together crash in tables half filled (39 % of 400 tries with glibc 2.36).
#pragma once

namespace spillway {

// Some 50 ms after threaded churn: not for the JavaScript thread, nor for the governor's.
void TrimHeap();

// TrimHeap on a thread of ours; calls in quick succession are one trim.
void TrimHeapSoon();

// The end of the heap that its maker's thread allocates from, which malloc_trim cuts for one thread alone.
// Made before what is to be given back and destroyed after it, on any thread, it has that end cut.
class HeapEnd {
 public:
  HeapEnd();
  ~HeapEnd();
  HeapEnd(const HeapEnd&) = delete;
  HeapEnd& operator=(const HeapEnd&) = delete;

 private:
  void* const block_;
};

// Leaves two arenas for the threads to share, and calls MapLargeBlocks.
void LimitArenas();

// Serves large blocks from mappings of their own for the rest of the process, so that freeing one gives its
// pages back at once. Harmless when repeated.
void MapLargeBlocks();

}  // namespace spillway
