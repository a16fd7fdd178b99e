#include "memory/signals/kept_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <utility>

namespace spillway {

KeptFile::KeptFile(std::string path) : path_(std::move(path)) {
  descriptor_ = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor_ < 0) error_ = errno;
}

KeptFile::~KeptFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

KeptFile::KeptFile(KeptFile&& other) noexcept { *this = std::move(other); }

KeptFile& KeptFile::operator=(KeptFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(error_, other.error_);
  return *this;
}

std::string_view KeptFile::Read(ReadBuffer& buffer) {
  if (descriptor_ < 0) return {};
  ssize_t bytes;
  do bytes = pread(descriptor_, buffer.bytes, sizeof(buffer.bytes), 0);
  while (bytes < 0 && errno == EINTR);
  error_ = bytes < 0 ? errno : bytes == 0 ? ENODATA : 0;
  return {buffer.bytes, bytes > 0 ? static_cast<size_t>(bytes) : 0};
}

int64_t NumberIn(std::string_view text) {
  size_t at = 0;
  while (at < text.size() && (text[at] == ' ' || text[at] == '\t')) ++at;
  const size_t first = at;
  uint64_t number = 0;
  // 18 digits cannot overflow, and what the kernel counts in bytes has at most 19.
  for (; at < text.size() && at - first < 19 && text[at] >= '0' && text[at] <= '9'; ++at)
    number = number * 10 + static_cast<uint64_t>(text[at] - '0');
  if (at == first) return -1;
  return number > INT64_MAX ? INT64_MAX : static_cast<int64_t>(number);
}

int64_t NumberAfter(std::string_view text, std::string_view name) {
  for (size_t line = 0; line < text.size();) {
    if (text.compare(line, name.size(), name) == 0) return NumberIn(text.substr(line + name.size()));
    const size_t end = text.find('\n', line);
    if (end == std::string_view::npos) break;
    line = end + 1;
  }
  return -1;
}

}  // namespace spillway
