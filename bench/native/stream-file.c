// stream-file <file> <bytes per second> <seconds>: reads a file over and over, at a steady rate, into one small
// buffer, so that it fills a memory group with page cache and with nothing else. Prints the bytes read.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { STEP = 1 << 18 };

static void fail(const char *what) {
  fprintf(stderr, "stream-file: %s: %s\n", what, strerror(errno));
  exit(1);
}

static double now_s(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: stream-file <file> <bytes/s> <seconds>\n");
    return 2;
  }
  static unsigned char buffer[STEP];
  double rate = atof(argv[2]), seconds = atof(argv[3]);
  int fd = open(argv[1], O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail(argv[1]);
  // Page cache belongs to the group that read it first: what another one cached must go.
  if (posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0) fail("posix_fadvise");
  double start = now_s();
  uint64_t total = 0;
  off_t at = 0;
  while (now_s() - start < seconds) {
    ssize_t got = pread(fd, buffer, STEP, at);
    if (got < 0) fail("pread");
    at = got == 0 ? 0 : at + got;
    total += (uint64_t)got;
    double ahead = (double)total / rate - (now_s() - start);
    if (ahead > 0.002) {
      struct timespec time = {(time_t)ahead, (long)((ahead - (double)(time_t)ahead) * 1e9)};
      nanosleep(&time, NULL);
    }
  }
  printf("%lu\n", total);
  return 0;
}
