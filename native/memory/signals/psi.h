// Pressure stall information: how long tasks have waited for memory.
//
// The counter is sampled. Triggers, which would tell by themselves, need a privilege for windows below 2 s,
// and fired after 987 ms where sampling the counter saw it after 508.
#pragma once

#include "memory/signals/kept_file.h"

namespace spillway {

class Stalls {
 public:
  // `group`: the folder of a cgroup of version 2, or empty; without figures of its own it is all of the
  // system.
  Stalls(const std::string& proc, const std::string& group);

  // Microseconds that at least one task has waited until now; -1 where the kernel does not tell.
  int64_t Read(ReadBuffer& buffer);
  std::string Describe() const;

 private:
  KeptFile file_;
};

}  // namespace spillway
