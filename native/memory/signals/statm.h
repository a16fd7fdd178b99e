// Resident memory of this process and of children of ours.
#pragma once

#include <vector>

#include "memory/signals/kept_file.h"

namespace spillway {

class Resident {
 public:
  explicit Resident(std::string proc);

  // Bytes. Where the file cannot be read it is the most that was ever resident, which errs on the high side.
  int64_t Own(ReadBuffer& buffer);
  // Bytes of all children that still run; one that has ended is forgotten.
  int64_t Children(ReadBuffer& buffer);

  void Include(int pid);
  void Exclude(int pid);
  std::vector<int> Pids() const;
  bool readable() const { return own_.error() == 0; }
  std::string Describe() const;

 private:
  struct Child {
    int pid;
    KeptFile file;
  };

  const std::string proc_;
  KeptFile own_;
  std::vector<Child> children_;
};

}  // namespace spillway
