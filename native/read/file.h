// A regular file open for reading, and whether it is still the version that was opened.
#pragma once

#include <cstdint>
#include <utility>

#include "core/status.h"

namespace spillway {

// What tells one version of a file from another.
struct FileVersion {
  uint64_t dev = 0, ino = 0;
  int64_t size = 0, mtime_ns = 0, ctime_ns = 0;

  bool operator==(const FileVersion&) const = default;
};

class File {
 public:
  File() = default;
  File(File&& other) noexcept { *this = std::move(other); }
  File& operator=(File&& other) noexcept;
  ~File() { Close(); }

  // ERR_NOT_A_FILE for anything but a regular file, without waiting for the writer of a FIFO.
  Status Open(const char* path);
  void Close();
  bool is_open() const { return descriptor_ >= 0; }

  const FileVersion& version() const { return version_; }
  // Whether the size says nothing, because the file system makes the content up on reading (/proc, /sys):
  // such a file is read to its end, and it has no version.
  bool made_up() const { return made_up_; }

  void AdviseSequential() const;
  // Reads until `length` bytes are there or the file ends.
  Status Read(char* to, size_t length, uint64_t offset, size_t* got) const;
  // Reads `length` bytes that the size promised; ERR_TRUNCATED where the file ends earlier.
  Status ReadAll(char* to, size_t length, uint64_t offset) const;
  // ERR_FILE_CHANGED where size or times are no longer what they were.
  Status CheckUnchanged() const;

 private:
  int descriptor_ = -1;
  bool made_up_ = false;
  FileVersion version_;
};

}  // namespace spillway
