// A directory of a walk, from the moment it is entered until everything below it has been entered too.
#pragma once

#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "scan/scan_plan.h"

namespace spillway {

// An open descriptor, counted while it is open.
class Descriptor {
 public:
  Descriptor(int fd, std::atomic<int>& open) : fd_(fd), open_(open) { ++open_; }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    close(fd_);
    --open_;
  }
  int fd() const { return fd_; }

 private:
  int fd_;
  std::atomic<int>& open_;  // of the walk, which outlives its readers and directories
};

// Holds its own name only, so that the paths of a deep tree do not add up.
struct Directory {
  std::shared_ptr<Directory> parent;  // null for a root
  std::string name;                   // a root's is its path as given
  bool through_link = false;
  FileId id{};  // only where links are followed

  // Guarded by the walk's mutex.
  std::shared_ptr<Descriptor> descriptor;  // null once closed; it is then reached from an ancestor
  std::string children;                    // per subdirectory still to enter: kLink or kPlain, name, NUL
  size_t cursor = 0;                       // of the next one in `children`
  bool read_to_end = false;

  static constexpr char kPlain = 'd', kLink = 'l';

  // One level after the other: a long chain released recursively would exhaust the stack. A destructor that
  // runs inside another leaves its parent to that one.
  ~Directory() {
    static thread_local std::shared_ptr<Directory>* left = nullptr;
    if (left) {
      *left = std::move(parent);
      return;
    }
    std::shared_ptr<Directory> above = std::move(parent), next;
    left = &next;
    while (above) {
      above.reset();
      above.swap(next);
    }
    left = nullptr;
  }
};

// A directory to enter: a root, or one child of a directory already entered.
struct Job {
  std::shared_ptr<Directory> parent;  // null for a root
  std::string name;
  bool through_link = false;
  std::shared_ptr<Descriptor> base;     // the nearest ancestor still open; null: start at the root's path
  std::vector<const Directory*> steps;  // from the parent up to below `base`; `parent` keeps them alive
};

// Opens the directory of a job for reading; -1 and errno where it cannot.
int OpenDirectory(const Job& job);

// Writes the path of a directory, with a '/' behind it, to `prefix`; returns where in it the part below the
// root begins.
size_t SetPrefix(const Directory& directory, std::string* prefix);

}  // namespace spillway
