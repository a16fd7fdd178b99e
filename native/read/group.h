// Small files read together: their bytes side by side in one arena, a row for each.
#pragma once

#include <memory>
#include <vector>

#include "core/sha256.h"
#include "core/status.h"
#include "read/block.h"
#include "read/file.h"

namespace spillway {

struct GroupPlan {
  size_t group_bytes = 0;
  uint64_t max_file_bytes = 0;
  int threads = 1;
  bool sha256 = false;
  AccountId account = kHostAccount;
};

// Seven words, as src/contract/read.ts describes them; all zero where the file could not be looked at.
struct FileRow {
  double offset = 0, length = 0;
  FileVersion version;
};
static_assert(sizeof(FileRow) == 7 * 8);

struct FileGroup {
  struct Error {
    uint32_t index;
    Status status;
  };

  Block arena;  // empty where no file has a byte
  size_t used = 0;
  std::vector<FileRow> rows;
  std::vector<Sha256::Digest> digests;  // one each, where the plan asks for them
  std::vector<Error> errors;
  size_t unread = 0;    // files placed whose bytes are not there yet
  bool sealed = false;  // no further file joins

  bool complete() const { return sealed && unread == 0; }
};

// A file that has been opened and measured.
struct MeasuredFile {
  Status status;
  File file;
  Block content;  // of a file whose size only reading tells, else empty
  FileVersion version;
  size_t length = 0;
};

// A file that has its place in a group.
struct PlacedFile {
  std::shared_ptr<FileGroup> group;
  uint32_t index;
  MeasuredFile source;
  char* to;
  Sha256::Digest digest;
};

MeasuredFile Measure(const char* path, const GroupPlan& plan);
// Reads the file to its place; its status says how that went.
void ReadPlaced(PlacedFile& placed, const GroupPlan& plan);

}  // namespace spillway
