#include "read/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <string>

namespace spillway {
namespace {

// The C library asks by an empty path, which takes the kernel twice as long.
int LookAt(int descriptor, struct stat* stat) {
  return static_cast<int>(syscall(SYS_fstat, descriptor, stat));
}

FileVersion VersionOf(const struct stat& stat) {
  return {stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtim.tv_sec * 1'000'000'000 + stat.st_mtim.tv_nsec,
          stat.st_ctim.tv_sec * 1'000'000'000 + stat.st_ctim.tv_nsec};
}

const char* KindOf(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

Status NotAFile(mode_t mode, const char* path) {
  return Status::Error("ERR_NOT_A_FILE",
                       std::string("expected a regular file but ") + KindOf(mode) + " is at '" + path + "'");
}

// The size of such a file is 0 or a page, whatever it holds.
bool MakesContentUp(int descriptor) {
  struct statfs file_system;
  if (fstatfs(descriptor, &file_system) != 0) return false;
  switch (static_cast<unsigned long>(file_system.f_type)) {
    case PROC_SUPER_MAGIC:
    case SYSFS_MAGIC:
    case CGROUP_SUPER_MAGIC:
    case CGROUP2_SUPER_MAGIC:
    case DEBUGFS_MAGIC:
    case TRACEFS_MAGIC:
    case SECURITYFS_MAGIC:
      return true;
    default:
      return false;
  }
}

}  // namespace

File& File::operator=(File&& other) noexcept {
  if (this == &other) return *this;
  Close();
  descriptor_ = std::exchange(other.descriptor_, -1);
  made_up_ = other.made_up_;
  version_ = other.version_;
  return *this;
}

Status File::Open(const char* path) {
  Close();
  // Without O_NONBLOCK opening a FIFO waits for its writer.
  do descriptor_ = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  while (descriptor_ < 0 && errno == EINTR);
  struct stat stat;
  if (descriptor_ < 0) {
    const int error = errno;
    // A socket cannot be opened, nor can a device without its driver.
    if ((error == ENXIO || error == ENODEV) && ::stat(path, &stat) == 0 && !S_ISREG(stat.st_mode))
      return NotAFile(stat.st_mode, path);
    return Status::System(error, std::string("cannot open '") + path + "'");
  }
  if (LookAt(descriptor_, &stat) != 0)
    return Status::System(errno, std::string("cannot look at '") + path + "'");
  if (!S_ISREG(stat.st_mode)) return NotAFile(stat.st_mode, path);
  version_ = VersionOf(stat);
  // Such files report no blocks, and so do small ones of some file systems: then one more call tells.
  made_up_ = stat.st_blocks == 0 && stat.st_size <= 65'536 && MakesContentUp(descriptor_);
  return Status::Ok();
}

void File::Close() {
  if (descriptor_ >= 0) close(std::exchange(descriptor_, -1));
}

void File::AdviseSequential() const { posix_fadvise(descriptor_, 0, 0, POSIX_FADV_SEQUENTIAL); }

Status File::Read(char* to, size_t length, uint64_t offset, size_t* got) const {
  *got = 0;
  while (*got < length) {
    const ssize_t bytes = pread(descriptor_, to + *got, length - *got, static_cast<off_t>(offset + *got));
    if (bytes == 0) break;
    if (bytes > 0)
      *got += static_cast<size_t>(bytes);
    else if (errno != EINTR)
      return Status::System(errno, "cannot read at byte " + std::to_string(offset + *got));
  }
  return Status::Ok();
}

Status File::ReadAll(char* to, size_t length, uint64_t offset) const {
  size_t got;
  Status status = Read(to, length, offset, &got);
  if (!status.ok() || got == length) return status;
  return Status::Error("ERR_TRUNCATED", "expected " + std::to_string(version_.size) +
                                            " bytes but the file ended after " +
                                            std::to_string(offset + got));
}

Status File::CheckUnchanged() const {
  if (made_up_) return Status::Ok();
  struct stat stat;
  if (LookAt(descriptor_, &stat) != 0) return Status::System(errno, "cannot look at the file again");
  if (VersionOf(stat) == version_) return Status::Ok();
  return Status::Error("ERR_FILE_CHANGED",
                       "expected the file to stay as it is while it is read, but it changed");
}

}  // namespace spillway
