// Records on their way to JavaScript, one column per property.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/status.h"

namespace spillway {

struct ScanBatch {
  struct Error {
    uint32_t index;
    Status status;
  };

  std::string paths;  // each followed by NUL
  std::vector<uint8_t> types;
  std::vector<double> size;  // this and the following only where the plan asks for stat
  std::vector<int64_t> mtime_ns, ctime_ns;
  std::vector<uint64_t> dev, ino;
  std::vector<Error> errors;
  bool utf8 = true;

  size_t count() const { return types.size(); }

  void AddStat(const struct stat& stat) {
    size.push_back(static_cast<double>(stat.st_size));
    mtime_ns.push_back(stat.st_mtim.tv_sec * 1'000'000'000 + stat.st_mtim.tv_nsec);
    ctime_ns.push_back(stat.st_ctim.tv_sec * 1'000'000'000 + stat.st_ctim.tv_nsec);
    dev.push_back(stat.st_dev);
    ino.push_back(stat.st_ino);
  }
};

}  // namespace spillway
