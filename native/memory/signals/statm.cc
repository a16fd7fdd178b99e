#include "memory/signals/statm.h"

#include <sys/resource.h>
#include <unistd.h>

#include "core/status.h"

namespace spillway {
namespace {

std::string PathOf(const std::string& proc, const std::string& process) {
  return proc + "/" + process + "/statm";
}

// "size resident shared text lib data dirty", in pages; -1 where the text is none of that.
int64_t ResidentIn(std::string_view text) {
  static const int64_t page_bytes = sysconf(_SC_PAGESIZE);
  const size_t blank = text.find(' ');
  const int64_t pages = blank == std::string_view::npos ? -1 : NumberIn(text.substr(blank));
  return pages < 0 ? -1 : pages * page_bytes;
}

}  // namespace

Resident::Resident(std::string proc) : proc_(std::move(proc)), own_(PathOf(proc_, "self")) {}

int64_t Resident::Own(ReadBuffer& buffer) {
  const int64_t bytes = ResidentIn(own_.Read(buffer));
  if (bytes >= 0) return bytes;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} << 10;
}

int64_t Resident::Children(ReadBuffer& buffer) {
  int64_t sum = 0;
  for (size_t i = 0; i < children_.size();) {
    const int64_t bytes = ResidentIn(children_[i].file.Read(buffer));
    if (bytes < 0) {
      children_.erase(children_.begin() + static_cast<ptrdiff_t>(i));
      continue;
    }
    sum += bytes;
    ++i;
  }
  return sum;
}

void Resident::Include(int pid) {
  Exclude(pid);
  children_.push_back({pid, KeptFile(PathOf(proc_, std::to_string(pid)))});
}

void Resident::Exclude(int pid) {
  std::erase_if(children_, [pid](const Child& child) { return child.pid == pid; });
}

std::vector<int> Resident::Pids() const {
  std::vector<int> pids;
  for (const Child& child : children_) pids.push_back(child.pid);
  return pids;
}

std::string Resident::Describe() const {
  const int error = own_.error();
  const std::string count =
      children_.empty() ? "" : " and of " + std::to_string(children_.size()) + " children";
  return "statm " + own_.path() + count + (error ? ": " + ErrnoName(error) + ", the peak stands in" : "");
}

}  // namespace spillway
