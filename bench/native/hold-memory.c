// hold-memory ramp <bytes per second> <bytes> <hold ms>: takes memory at a steady rate, holds it, ends.
// hold-memory saw <low bytes> <high bytes> <period ms> <seconds>: takes and gives back in a saw-tooth.
// Pages are really touched. Prints the microseconds since the epoch when it starts, and when it is done.
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, STEP_US = 1000 };

static unsigned char *memory;
static size_t held;

static void fail(const char *what) {
  fprintf(stderr, "hold-memory: %s: %s\n", what, strerror(errno));
  exit(1);
}

static uint64_t now_us(void) {
  struct timespec at;
  clock_gettime(CLOCK_REALTIME, &at);
  return (uint64_t)at.tv_sec * 1000000 + (uint64_t)at.tv_nsec / 1000;
}

static void pause_us(uint64_t us) {
  struct timespec time = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
  nanosleep(&time, NULL);
}

// Holds so many bytes from now on, to the page.
static void hold(double bytes) {
  size_t wanted = (size_t)bytes / PAGE * PAGE;
  for (; held < wanted; held += PAGE) memory[held] = 1;
  if (held > wanted && madvise(memory + wanted, held - wanted, MADV_DONTNEED) != 0) fail("madvise");
  held = wanted;
}

static void map(double bytes) {
  memory = mmap(NULL, (size_t)bytes + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) fail("mmap");
  // A huge page would be charged as a whole.
  if (madvise(memory, (size_t)bytes + PAGE, MADV_NOHUGEPAGE) != 0 && errno != EINVAL) fail("madvise");
}

static void ramp(double rate, double bytes, uint64_t hold_ms) {
  uint64_t start = now_us();
  printf("%lu\n", start);
  fflush(stdout);
  while (held < (size_t)bytes / PAGE * PAGE) {
    double due = (double)(now_us() - start) / 1e6 * rate;
    hold(due < bytes ? due : bytes);
    pause_us(STEP_US);
  }
  printf("%lu\n", now_us());
  fflush(stdout);
  pause_us(hold_ms * 1000);
}

static void saw(double low, double high, double period_ms, double seconds) {
  hold(low);
  uint64_t start = now_us();
  printf("%lu\n", start);
  fflush(stdout);
  for (;;) {
    double ms = (double)(now_us() - start) / 1e3;
    if (ms > seconds * 1e3) break;
    double phase = ms / period_ms - (double)(uint64_t)(ms / period_ms);
    hold(low + (high - low) * (phase < 0.5 ? 2 * phase : 2 - 2 * phase));
    pause_us(5 * STEP_US);
  }
  printf("%lu\n", now_us());
}

int main(int argc, char **argv) {
  if (argc == 5 && strcmp(argv[1], "ramp") == 0) {
    map(atof(argv[3]));
    ramp(atof(argv[2]), atof(argv[3]), strtoull(argv[4], NULL, 10));
  } else if (argc == 6 && strcmp(argv[1], "saw") == 0) {
    map(atof(argv[3]));
    saw(atof(argv[2]), atof(argv[3]), atof(argv[4]), atof(argv[5]));
  } else {
    fprintf(stderr, "usage: hold-memory ramp <bytes/s> <bytes> <hold ms> | saw <low> <high> <period ms> <s>\n");
    return 2;
  }
  return 0;
}
