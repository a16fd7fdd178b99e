// read-many <threads> <time|digest> <list>: reads the files whose paths, each ended by NUL, stand in the file
// `list`, looks at a byte of every page (with `digest`: at every 64th), and prints what it saw as JSON.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER = 1 << 20, PAGE = 4096, STRIDE = 64, MOST_THREADS = 64, FILES_AT_ONCE = 16 };

static const char **paths;
static size_t count;
static int digest;
static atomic_size_t next;
static atomic_ulong bytes, sum, hashes;

static void fail(const char *what) {
  fprintf(stderr, "read-many: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void read_file(const char *path, unsigned char *buffer, uint64_t *seen) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail(path);
  ssize_t got = read(fd, buffer, BUFFER);
  if (got < 0 || got == BUFFER) fail(path);
  close(fd);
  seen[0] += (uint64_t)got;
  if (digest) {
    uint32_t hash = 2166136261u;
    for (ssize_t i = 0; i < got; i += STRIDE) hash = (hash ^ buffer[i]) * 16777619u;
    seen[2] += hash;
  } else {
    for (ssize_t i = 0; i < got; i += PAGE) seen[1] += buffer[i];
  }
}

static void *work(void *unused) {
  unsigned char *buffer = malloc(BUFFER);
  uint64_t seen[3] = {0};
  if (!buffer) fail("malloc");
  for (;;) {
    size_t first = atomic_fetch_add(&next, FILES_AT_ONCE);
    if (first >= count) break;
    for (size_t i = first; i < first + FILES_AT_ONCE && i < count; i++) read_file(paths[i], buffer, seen);
  }
  free(buffer);
  atomic_fetch_add(&bytes, seen[0]);
  atomic_fetch_add(&sum, seen[1]);
  atomic_fetch_add(&hashes, seen[2]);
  return unused;
}

static void read_list(const char *file) {
  FILE *list = fopen(file, "rb");
  if (!list || fseek(list, 0, SEEK_END) != 0) fail(file);
  size_t length = (size_t)ftell(list);
  rewind(list);
  char *text = malloc(length + 1);
  if (!text || fread(text, 1, length, list) != length) fail(file);
  fclose(list);
  for (size_t i = 0; i < length; i++) count += text[i] == 0;
  paths = malloc(count * sizeof *paths);
  if (!paths) fail("malloc");
  for (size_t i = 0, at = 0; i < count; i++, at += strlen(text + at) + 1) paths[i] = text + at;
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: read-many <threads> <time|digest> <list>\n");
    return 2;
  }
  int threads = atoi(argv[1]);
  digest = strcmp(argv[2], "digest") == 0;
  if (threads < 1 || threads > MOST_THREADS) return 2;
  read_list(argv[3]);
  pthread_t ids[MOST_THREADS];
  struct timespec start, end;
  clock_gettime(CLOCK_MONOTONIC, &start);
  for (int i = 0; i < threads; i++)
    if (pthread_create(&ids[i], NULL, work, NULL) != 0) fail("pthread_create");
  for (int i = 0; i < threads; i++) pthread_join(ids[i], NULL);
  clock_gettime(CLOCK_MONOTONIC, &end);
  double ms = (double)(end.tv_sec - start.tv_sec) * 1e3 + (double)(end.tv_nsec - start.tv_nsec) / 1e6;
  printf("{\"ms\":%.4f,\"files\":%zu,\"bytes\":%lu,\"sum\":%lu,\"hash\":%lu}\n", ms, count,
         (unsigned long)bytes, (unsigned long)sum, (unsigned long)hashes);
  return 0;
}
