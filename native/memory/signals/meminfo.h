// The machine: what it has, and what it does not count as available.
#pragma once

#include <optional>

#include "memory/signals/kept_file.h"
#include "memory/signals/limit.h"

namespace spillway {

class Machine {
 public:
  explicit Machine(const std::string& proc);

  // All of the machine as a limit; nothing where meminfo cannot be read.
  std::optional<MemoryLimit> Read(ReadBuffer& buffer);
  // Physical memory, whether or not meminfo can be read.
  int64_t bytes() const { return bytes_; }
  std::string Describe() const;

 private:
  KeptFile file_;
  int64_t bytes_;
};

}  // namespace spillway
