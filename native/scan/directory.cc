#include "scan/directory.h"

#include <fcntl.h>

#include <cerrno>

namespace spillway {
namespace {

// O_NONBLOCK: what was a directory a moment ago may be a FIFO now. Links are followed only where a link was
// found and is to be followed, so that a folder replaced by a link does not lead the walk astray.
int OpenBelow(int at, const std::string& name, int flags, bool follow) {
  return openat(at, name.c_str(), flags | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW));
}

}  // namespace

int OpenDirectory(const Job& job) {
  int at = job.base ? job.base->fd() : AT_FDCWD, between = -1;
  const auto descend = [&](const std::string& name, int flags, bool follow) {
    const int fd = OpenBelow(at, name, flags, follow);
    const int failure = errno;
    if (between >= 0) close(between);
    errno = failure;
    return fd;
  };
  for (auto step = job.steps.rbegin(); step != job.steps.rend(); ++step) {
    at = between = descend((*step)->name, O_PATH, (*step)->through_link || !(*step)->parent);
    if (at < 0) return -1;
  }
  return descend(job.name, O_RDONLY, job.through_link || !job.parent);
}

size_t SetPrefix(const Directory& directory, std::string* prefix) {
  std::vector<const Directory*> chain;
  for (const Directory* each = &directory; each; each = each->parent.get()) chain.push_back(each);
  *prefix = chain.back()->name;
  if (!prefix->ends_with('/')) *prefix += '/';
  const size_t relative = prefix->size();
  for (auto each = chain.rbegin() + 1; each != chain.rend(); ++each) (*prefix += (*each)->name) += '/';
  return relative;
}

}  // namespace spillway
