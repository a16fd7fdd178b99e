// A directory walk with every decision taken, as src/contract/scan.ts describes it.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "scan/glob.h"

namespace spillway {

// The codes of FileType in src/contract/scan.ts; a plan's `types` is a union of them.
enum FileType : uint8_t {
  kFile = 1,
  kDirectory = 2,
  kSymlink = 4,
  kFifo = 8,
  kSocket = 16,
  kBlock = 32,
  kCharacter = 64,
  kUnknown = 128,
};

struct FileId {
  uint64_t dev, ino;
  auto operator<=>(const FileId&) const = default;
};

struct ScanPlan {
  std::vector<std::string> roots;
  GlobSet include, exclude;
  uint32_t types = kFile;
  bool stat = false;
  bool follow = false;
  int threads = 1;
  size_t batch_files = 1024;
  std::vector<FileId> skip;  // sorted
};

}  // namespace spillway
