#include "core/slice.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace spillway {
namespace {

// As in linux/sched/types.h, which glibc 2.36 has no header for; the first version of it.
struct SchedulingAttributes {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime_ns, deadline_ns, period_ns;
};

constexpr uint64_t kUsual = 0;
constexpr uint64_t kLongNs =
    20'000'000;  // usual ones are 0.7 to 3 ms by the number of cores; 100 is the most

// Of the calling thread; all else stays as it is.
void SetSlice(uint64_t ns) {
  SchedulingAttributes attributes{};
  if (::syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0) return;
  attributes.size = sizeof attributes;
  attributes.runtime_ns = ns;
  ::syscall(SYS_sched_setattr, 0, &attributes, 0);
}

}  // namespace

LongSlices::LongSlices() { SetSlice(kLongNs); }

LongSlices::~LongSlices() { SetSlice(kUsual); }

void TakeUsualSlices() { SetSlice(kUsual); }

}  // namespace spillway
