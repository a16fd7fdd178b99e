#include "memory/signals/meminfo.h"

#include <unistd.h>

#include <algorithm>

#include "core/status.h"

namespace spillway {
namespace {

const std::string kMachine = "machine";

}  // namespace

Machine::Machine(const std::string& proc)
    : file_(proc + "/meminfo"),
      bytes_(static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE)) {}

std::optional<MemoryLimit> Machine::Read(ReadBuffer& buffer) {
  const std::string_view text = file_.Read(buffer);
  const int64_t total = NumberAfter(text, "MemTotal:"), available = NumberAfter(text, "MemAvailable:");
  if (total < 0 || available < 0) return std::nullopt;
  bytes_ = total << 10;
  return MemoryLimit{bytes_, std::max<int64_t>(0, total - available) << 10, &kMachine};
}

std::string Machine::Describe() const {
  const int error = file_.error();
  return "meminfo " + file_.path() + (error ? ": " + ErrnoName(error) : "");
}

}  // namespace spillway
