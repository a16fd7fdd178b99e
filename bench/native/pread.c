// pread <time|digest> <file>: reads a file in steps of 1 MB into one buffer, looks at a byte of every page (with
// `digest`: at every 64th), and prints what it saw as JSON.
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { STEP = 1000000, PAGE = 4096, STRIDE = 64 };

static void fail(const char *what) {
  fprintf(stderr, "pread: %s: %s\n", what, strerror(errno));
  exit(1);
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: pread <time|digest> <file>\n");
    return 2;
  }
  int digest = strcmp(argv[1], "digest") == 0;
  off_t stride = digest ? STRIDE : PAGE;
  struct timespec start, end;
  clock_gettime(CLOCK_MONOTONIC, &start);
  unsigned char *buffer;
  if (posix_memalign((void **)&buffer, PAGE, STEP) != 0) fail("posix_memalign");
  int fd = open(argv[2], O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail(argv[2]);
  off_t at = 0;
  uint64_t sum = 0;
  uint32_t hash = 2166136261u;
  for (;;) {
    ssize_t got = pread(fd, buffer, STEP, at);
    if (got < 0) fail("pread");
    if (got == 0) break;
    off_t first = (stride - at % stride) % stride;
    if (digest)
      for (off_t i = first; i < got; i += stride) hash = (hash ^ buffer[i]) * 16777619u;
    else
      for (off_t i = first; i < got; i += stride) sum += buffer[i];
    at += got;
  }
  close(fd);
  clock_gettime(CLOCK_MONOTONIC, &end);
  double ms = (double)(end.tv_sec - start.tv_sec) * 1e3 + (double)(end.tv_nsec - start.tv_nsec) / 1e6;
  printf("{\"ms\":%.4f,\"bytes\":%lld,\"sum\":%lu,\"hash\":%u}\n", ms, (long long)at, sum, hash);
  return 0;
}
