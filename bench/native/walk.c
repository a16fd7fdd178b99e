// walk <threads> <names|stat> <time|digest> <root>: reads a tree with getdents64, and with statx where asked, and
// prints what it saw as JSON. What no program can beat: no path is built unless it is to be hashed.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct entry {
  uint64_t ino;
  int64_t off;
  unsigned short reclen;
  unsigned char type;
  char name[];
};

struct folder {
  struct folder *next;
  size_t length;
  char path[];
};

struct totals {
  uint64_t files, bytes, hash, size, seconds, ino;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct folder *stack;
static int busy;
static int want_stat, want_digest;
static struct totals sum;

static void fail(const char *what, const char *path) {
  fprintf(stderr, "walk: %s %s: %s\n", what, path, strerror(errno));
  exit(1);
}

static void push(const char *parent, size_t parent_length, const char *name) {
  size_t name_length = strlen(name);
  size_t length = parent_length + (parent_length > 0) + name_length;
  struct folder *folder = malloc(sizeof *folder + length + 1);
  if (!folder) fail("malloc", name);
  folder->length = length;
  if (parent_length > 0) {
    memcpy(folder->path, parent, parent_length);
    folder->path[parent_length] = '/';
  }
  memcpy(folder->path + length - name_length, name, name_length + 1);
  pthread_mutex_lock(&lock);
  folder->next = stack;
  stack = folder;
  pthread_cond_signal(&changed);
  pthread_mutex_unlock(&lock);
}

static uint32_t fnv1a(uint32_t hash, const char *text, size_t length) {
  for (size_t i = 0; i < length; i++) hash = (hash ^ (unsigned char)text[i]) * 16777619u;
  return hash;
}

static void visit(const struct folder *folder, int fd, const struct entry *entry, struct totals *seen) {
  size_t name_length = strlen(entry->name);
  seen->files++;
  seen->bytes += folder->length + 1 + name_length;
  if (want_digest) {
    uint32_t hash = fnv1a(2166136261u, folder->path, folder->length);
    seen->hash += fnv1a(fnv1a(hash, "/", 1), entry->name, name_length);
  }
  if (!want_stat) return;
  struct statx found;
  if (statx(fd, entry->name, AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &found) != 0)
    fail("statx", entry->name);
  seen->size += found.stx_size;
  seen->seconds += (uint64_t)found.stx_mtime.tv_sec;
  seen->ino += found.stx_ino;
}

static void read_folder(const struct folder *folder, struct totals *seen) {
  static __thread char buffer[1 << 16];
  int fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) fail("open", folder->path);
  long got;
  while ((got = syscall(SYS_getdents64, fd, buffer, sizeof buffer)) > 0)
    for (long at = 0; at < got;) {
      const struct entry *entry = (const struct entry *)(buffer + at);
      at += entry->reclen;
      if (entry->name[0] == '.' && (entry->name[1] == 0 || (entry->name[1] == '.' && entry->name[2] == 0)))
        continue;
      if (entry->type == DT_DIR) push(folder->path, folder->length, entry->name);
      else if (entry->type == DT_REG) visit(folder, fd, entry, seen);
      else if (entry->type == DT_UNKNOWN) fail("this file system does not tell types:", folder->path);
    }
  if (got < 0) fail("getdents64", folder->path);
  close(fd);
}

static void *work(void *unused) {
  struct totals seen = {0};
  pthread_mutex_lock(&lock);
  for (;;) {
    while (!stack && busy > 0) pthread_cond_wait(&changed, &lock);
    struct folder *folder = stack;
    if (!folder) break;
    stack = folder->next;
    busy++;
    pthread_mutex_unlock(&lock);
    read_folder(folder, &seen);
    free(folder);
    pthread_mutex_lock(&lock);
    busy--;
    if (busy == 0 && !stack) pthread_cond_broadcast(&changed);
  }
  sum.files += seen.files;
  sum.bytes += seen.bytes;
  sum.hash += seen.hash;
  sum.size += seen.size;
  sum.seconds += seen.seconds;
  sum.ino += seen.ino;
  pthread_mutex_unlock(&lock);
  return unused;
}

int main(int argc, char **argv) {
  if (argc != 5) {
    fprintf(stderr, "usage: walk <threads> <names|stat> <time|digest> <root>\n");
    return 2;
  }
  int threads = atoi(argv[1]);
  want_stat = strcmp(argv[2], "stat") == 0;
  want_digest = strcmp(argv[3], "digest") == 0;
  pthread_t ids[64];
  if (threads < 1 || threads > 64) return 2;
  struct timespec start, end;
  clock_gettime(CLOCK_MONOTONIC, &start);
  push("", 0, argv[4]);
  for (int i = 0; i < threads; i++)
    if (pthread_create(&ids[i], NULL, work, NULL) != 0) fail("pthread_create", argv[0]);
  for (int i = 0; i < threads; i++) pthread_join(ids[i], NULL);
  clock_gettime(CLOCK_MONOTONIC, &end);
  double ms = (double)(end.tv_sec - start.tv_sec) * 1e3 + (double)(end.tv_nsec - start.tv_nsec) / 1e6;
  printf("{\"ms\":%.4f,\"files\":%lu,\"bytes\":%lu,\"hash\":%lu,\"size\":%lu,\"seconds\":%lu,\"ino\":%lu}\n",
         ms, sum.files, sum.bytes, sum.hash, sum.size, sum.seconds, sum.ino);
  return 0;
}
