#include "memory/signals/cgroup.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "core/clock.h"
#include "core/status.h"

namespace spillway {
namespace {

// memory.stat is dear to read, the kernel sums it up each time. While this share of a limit and more is free,
// nothing is reclaimed for it, and what could be dropped a moment ago still can: it is read again when the
// usage has moved, by this share of the limit, and seldom.
constexpr double kFarShare = 0.5;
constexpr double kMovedShare = 0.001;
constexpr int64_t kStatEveryMs = 1000;

int64_t LimitIn(std::string_view text) { return text.substr(0, 3) == "max" ? kNoLimit : NumberIn(text); }

bool NamesMemory(std::string_view controllers) {
  for (size_t at = 0; at <= controllers.size();) {
    const size_t end = std::min(controllers.find(',', at), controllers.size());
    if (controllers.substr(at, end - at) == "memory") return true;
    at = end + 1;
  }
  return false;
}

// Page cache that the kernel drops before it kills anybody: the inactive one, and of the active one what is
// neither mapped nor waits to be written. A job over large files in a full group makes pages active by
// reading them, a third of 192 MB were; as used they would count against the job that they give way to.
int64_t DroppableIn(std::string_view stat, bool unified) {
  const auto bytes = [&](const char* version1, const char* version2) {
    return std::max<int64_t>(0, NumberAfter(stat, unified ? version2 : version1));
  };
  const int64_t active = bytes("total_active_file ", "active_file ") -
                         bytes("total_mapped_file ", "file_mapped ") - bytes("total_dirty ", "file_dirty ") -
                         bytes("total_writeback ", "file_writeback ");
  return bytes("total_inactive_file ", "inactive_file ") + std::max<int64_t>(0, active);
}

std::string ParentOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos || slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

Cgroups::Cgroups(const std::string& proc, std::string root)
    : root_(std::move(root)), membership_file_(proc + "/self/cgroup") {
  ReadBuffer buffer;
  Resolve(membership_file_.Read(buffer));
}

// A line is "hierarchy:controllers:path"; version 2 names no controllers.
void Cgroups::Resolve(std::string_view membership) {
  membership_ = membership;
  groups_.clear();
  for (size_t at = 0; at < membership.size();) {
    const size_t end = std::min(membership.find('\n', at), membership.size());
    const std::string_view line = membership.substr(at, end - at);
    at = end + 1;
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const std::string inside(line.substr(second + 1));
    if (controllers.empty())
      Climb(root_, inside, true);
    else if (NamesMemory(controllers))
      Climb(root_ + "/memory", inside, false);
  }
}

// Inside a container the path may be that of the host: what is mounted is found further up.
void Cgroups::Climb(const std::string& top, std::string inside, bool unified) {
  const size_t before = groups_.size();
  for (;; inside = ParentOf(inside)) {
    const bool at_root = inside.size() <= 1;
    const std::string folder = at_root ? top : top + inside;
    // The root of version 1, which alone has this file, can have no limit, and its figures are the slowest to
    // read.
    if (at_root && access((folder + "/cgroup.sane_behavior").c_str(), F_OK) == 0) return;
    KeptFile limit(folder + (unified ? "/memory.max" : "/memory.limit_in_bytes"));
    if (limit.error() == 0)
      groups_.push_back({folder, unified, false, std::move(limit),
                         unified ? KeptFile(folder + "/memory.high") : KeptFile(),
                         KeptFile(folder + (unified ? "/memory.current" : "/memory.usage_in_bytes")),
                         KeptFile(folder + "/memory.stat")});
    if (at_root) break;
  }
  if (groups_.size() > before) groups_.back().topmost = true;
}

// In bytes; -1 where it cannot be read. memory.high does not kill, but whoever is above it is stalled for
// good.
int64_t Cgroups::OwnLimit(Group& group, ReadBuffer& buffer) {
  const int64_t limit = LimitIn(group.limit.Read(buffer));
  if (limit < 0 || !group.unified) return limit;
  const int64_t high = LimitIn(group.high.Read(buffer));
  return high < 0 ? limit : std::min(limit, high);
}

void Cgroups::ReadStat(Group& group, int64_t limit, int64_t usage, ReadBuffer& buffer) {
  const int64_t now = CoarseMilliseconds();
  const auto share = [limit](int64_t bytes) {
    return static_cast<double>(bytes) / static_cast<double>(limit);
  };
  const bool far = share(usage) < kFarShare && share(std::abs(usage - group.stat_usage)) < kMovedShare;
  if (far && now - group.stat_read_ms < kStatEveryMs) return;
  group.stat_read_ms = now;
  group.stat_usage = usage;
  const std::string_view stat = group.stat.Read(buffer);
  group.droppable = DroppableIn(stat, group.unified);
  // The groups above are not mounted here, but version 1 tells the least of their limits.
  const int64_t above = group.TellsAbove() ? NumberAfter(stat, "hierarchical_memory_limit ") : -1;
  group.limit_above = above < 0 ? kNoLimit : above;
}

bool Cgroups::Read(ReadBuffer& buffer, int64_t machine_bytes, std::vector<MemoryLimit>* limits) {
  bool complete = true;
  for (Group& group : groups_) {
    const int64_t own = OwnLimit(group, buffer);
    if (own >= machine_bytes && !group.TellsAbove()) continue;
    const int64_t usage = own < 0 ? -1 : NumberIn(group.usage.Read(buffer));
    complete = complete && usage >= 0;
    if (usage < 0) continue;
    ReadStat(group, std::min(own, group.limit_above), usage, buffer);
    const int64_t limit = std::min(own, group.limit_above);
    if (limit >= machine_bytes) continue;
    limits->push_back({limit, std::max<int64_t>(0, usage - group.droppable), &group.folder});
  }
  return complete;
}

bool Cgroups::Refresh(ReadBuffer& buffer, bool anew) {
  const std::string_view membership = membership_file_.Read(buffer);
  if (!anew && membership == membership_) return false;
  const std::string before = Describe();
  Resolve(membership);
  return Describe() != before;
}

std::string Cgroups::Describe() const {
  std::string folders;
  for (const Group& group : groups_)
    folders += (folders.empty() ? "" : ", ") + ("cgroup v" + std::to_string(group.unified ? 2 : 1)) + " " +
               group.folder;
  if (!folders.empty()) return folders;
  const int error = membership_file_.error();
  return error == 0 ? "no memory cgroup"
                    : "no memory cgroup: " + membership_file_.path() + " " + ErrnoName(error);
}

std::string Cgroups::UnifiedFolder() const {
  for (const Group& group : groups_)
    if (group.unified) return group.folder;
  return "";
}

}  // namespace spillway
