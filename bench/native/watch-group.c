// watch-group <usage file> <stat file> <name of inactive page cache in it> <limit file> <interval in µs> [<statm file>]
// Reads a memory group until standard input ends. Every line: microseconds since the epoch, bytes charged, bytes
// of them that are page cache which the kernel can drop, limit, and resident bytes of the process (0 without a statm file).
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TEXT = 8192 };

static void fail(const char *what) {
  fprintf(stderr, "watch-group: %s: %s\n", what, strerror(errno));
  exit(1);
}

static int open_or_fail(const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail(path);
  return fd;
}

// The text of a file, read again through a descriptor that is kept. Empty once the file is gone.
static const char *text_of(int fd, char *text) {
  ssize_t got = pread(fd, text, TEXT - 1, 0);
  text[got < 0 ? 0 : got] = 0;
  return text;
}

static uint64_t number_at(const char *text) {
  return strncmp(text, "max", 3) == 0 ? UINT64_MAX : strtoull(text, NULL, 10);
}

static uint64_t line_of(const char *text, const char *name) {
  size_t length = strlen(name);
  for (const char *at = text; at; at = strchr(at, '\n')) {
    if (*at == '\n') at++;
    if (strncmp(at, name, length) == 0 && at[length] == ' ') return number_at(at + length + 1);
  }
  return 0;
}

// Page cache that the kernel drops before it kills: the inactive one, and what is active but neither mapped nor
// waiting to be written. Version 1 begins its names with "total_", and calls what is mapped the other way round.
static uint64_t droppable_in(const char *text, const char *inactive) {
  int first = strncmp(inactive, "total_", 6) == 0;
  uint64_t active = line_of(text, first ? "total_active_file" : "active_file");
  uint64_t kept = line_of(text, first ? "total_mapped_file" : "file_mapped") +
                  line_of(text, first ? "total_dirty" : "file_dirty") +
                  line_of(text, first ? "total_writeback" : "file_writeback");
  return line_of(text, inactive) + (active > kept ? active - kept : 0);
}

static uint64_t now_us(void) {
  struct timespec at;
  clock_gettime(CLOCK_REALTIME, &at);
  return (uint64_t)at.tv_sec * 1000000 + (uint64_t)at.tv_nsec / 1000;
}

int main(int argc, char **argv) {
  if (argc != 6 && argc != 7) {
    fprintf(stderr, "usage: watch-group <usage> <stat> <inactive> <limit> <interval us> [<statm>]\n");
    return 2;
  }
  int usage = open_or_fail(argv[1]), stat = open_or_fail(argv[2]), limit = open_or_fail(argv[4]);
  int statm = argc == 7 ? open_or_fail(argv[6]) : -1;
  struct timespec interval = {0, atol(argv[5]) * 1000};
  uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
  char text[TEXT];
  struct pollfd standard_input = {.fd = 0, .events = POLLIN};
  static char buffer[1 << 16];
  setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
  uint64_t flushed = now_us();
  for (;;) {
    uint64_t at = now_us();
    uint64_t charged = number_at(text_of(usage, text));
    uint64_t droppable = droppable_in(text_of(stat, text), argv[3]);
    uint64_t most = number_at(text_of(limit, text));
    uint64_t resident = 0;
    if (statm >= 0) {
      const char *second = strchr(text_of(statm, text), ' ');
      resident = second ? number_at(second + 1) * page : 0;
    }
    printf("%lu %lu %lu %lu %lu\n", at, charged, droppable, most, resident);
    if (at - flushed > 100000) {
      fflush(stdout);
      flushed = at;
    }
    if (poll(&standard_input, 1, 0) > 0) break;
    nanosleep(&interval, NULL);
  }
  return 0;
}
