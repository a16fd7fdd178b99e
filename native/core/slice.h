// How long a computing thread keeps its core.
#pragma once

namespace spillway {

// While it lives, the thread that made it asks the scheduler for long slices, so that whoever wakes up with
// usual ones, as the event loop does, has the core at once and not when a slice is over. Its share of the
// processor stays what it is. Linux 6.12 and later (EEVDF, kernel/sched/fair.c, PREEMPT_SHORT); without
// effect elsewhere.
class LongSlices {
 public:
  LongSlices();
  ~LongSlices();
  LongSlices(const LongSlices&) = delete;
  LongSlices& operator=(const LongSlices&) = delete;
};

// A thread has at first those of the thread that started it.
void TakeUsualSlices();

}  // namespace spillway
