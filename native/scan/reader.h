// One reader of a walk: reads directories with getdents64 and turns their entries into records.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "scan/walk.h"

namespace spillway {

class Reader {
 public:
  explicit Reader(Walk& walk);

  // Reads on. True: no room for batches, call again when there is. False: no work, or the walk was cancelled;
  // what is left is in batch().
  bool Run();
  ScanBatch& batch() { return batch_; }

 private:
  // What is known of an entry.
  struct Entry {
    Entry(const char* name, FileType type) : name(name), type(type) {}
    const char* name;
    FileType type;
    bool through_link = false;  // `stat` is of a link's target
    struct stat stat;           // set by looking at it, which most entries never need
  };

  bool Due();
  bool Deliver();
  bool Refill();
  void Enter(const Job& job);
  bool EnterRoot(const Job& job);

  void Consider(const char* name, unsigned char dirent_type);
  bool Admit(Entry* entry, std::string_view relative);
  int LookAt(Entry* entry);
  bool IsAncestor(FileId id) const;
  void AddRecord(const Entry& entry);
  // Completes the path at the end of the batch to a record that says what failed.
  void AddError(Status status);
  // The same for the directory being read or entered.
  void AddDirectoryError(Status status);

  Walk& walk_;
  const ScanPlan& plan_;
  std::unique_ptr<char[]> buffer_;
  size_t filled_ = 0, position_ = 0;  // of `buffer_`

  std::shared_ptr<Directory> directory_;    // being read
  std::shared_ptr<Descriptor> descriptor_;  // of `directory_`
  std::string prefix_;                      // its path, up to and with the last '/'
  size_t relative_ = 0;                     // where the path relative to the root begins in `prefix_`
  std::string children_;                    // subdirectories found and not yet published
  size_t children_count_ = 0;

  ScanBatch batch_;
  std::chrono::steady_clock::time_point batch_begun_;
};

}  // namespace spillway
