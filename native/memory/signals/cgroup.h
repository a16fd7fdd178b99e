// The memory cgroups of this process, from its own up to the root, version 1 and 2.
//
// Every limit on the way binds, and all are read again each time: they can be changed while we run. The
// working set of a group is its usage without the page cache that the kernel drops before it kills anybody.
#pragma once

#include <vector>

#include "memory/signals/kept_file.h"
#include "memory/signals/limit.h"

namespace spillway {

class Cgroups {
 public:
  // `proc` and `root` stand for /proc and /sys/fs/cgroup.
  Cgroups(const std::string& proc, std::string root);

  // Appends the limits below `machine_bytes`, the process's own group first. False where a group that was
  // there cannot be read any more. A limit's source lives until Refresh.
  bool Read(ReadBuffer& buffer, int64_t machine_bytes, std::vector<MemoryLimit>* limits);
  // Looks whether the process was moved; `anew` opens every file again, as a group may have gone or come
  // back. True where the groups are others.
  bool Refresh(ReadBuffer& buffer, bool anew);
  // The folders that are read, or why there is none.
  std::string Describe() const;

  // The folder of the process's own group where that is of version 2, which has pressure figures; else empty.
  std::string UnifiedFolder() const;

 private:
  struct Group {
    std::string folder;
    bool unified;  // version 2
    bool topmost;  // nothing above it can be read, though something may be there
    KeptFile limit, high, usage, stat;
    // What `stat` said when it was read last, and the usage then.
    int64_t stat_read_ms = INT64_MIN / 2, stat_usage = 0;
    int64_t droppable = 0, limit_above = kNoLimit;

    bool TellsAbove() const { return topmost && !unified; }
  };

  void Resolve(std::string_view membership);
  void Climb(const std::string& top, std::string inside, bool unified);
  static int64_t OwnLimit(Group& group, ReadBuffer& buffer);
  static void ReadStat(Group& group, int64_t limit, int64_t usage, ReadBuffer& buffer);

  const std::string root_;
  KeptFile membership_file_;
  std::string membership_;
  std::vector<Group> groups_;
};

}  // namespace spillway
