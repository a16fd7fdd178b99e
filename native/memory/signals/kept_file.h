// A small file of the kernel that is read again and again: its descriptor is kept, and a read is one pread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace spillway {

// What one read may give; the longest file read here, a cgroup's memory.stat, has some 2 KB.
struct ReadBuffer {
  char bytes[16 << 10];
};

class KeptFile {
 public:
  KeptFile() = default;
  explicit KeptFile(std::string path);
  ~KeptFile();
  KeptFile(KeptFile&& other) noexcept;
  KeptFile& operator=(KeptFile&& other) noexcept;

  // The text as of now, in `buffer`; empty where nothing can be read, and error() says why.
  std::string_view Read(ReadBuffer& buffer);
  // An errno value, or 0 where the last read gave text.
  int error() const { return error_; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  int descriptor_ = -1;
  int error_ = 0;
};

// The decimal number that `text` begins with, blanks aside; -1 where there is none.
int64_t NumberIn(std::string_view text);
// The number behind `name` where a line begins with it; -1 where none does.
int64_t NumberAfter(std::string_view text, std::string_view name);

}  // namespace spillway
