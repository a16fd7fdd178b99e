// The last minutes of readings, in a ring that never grows.
#pragma once

#include <vector>

#include "memory/pressure.h"

namespace spillway {

class PressureHistory {
 public:
  // Keeps the fullest reading of each 100 ms.
  void Add(const PressureFigures& figures);
  // Oldest first.
  std::vector<PressureFigures> Read() const;

 private:
  static constexpr size_t kRows = 4096;  // almost seven minutes, in 360 KB that are touched as they fill
  static constexpr double kEveryMs = 100;

  PressureFigures& Newest() { return rows_[(next_ + rows_.size() - 1) % rows_.size()]; }

  std::vector<PressureFigures> rows_;
  size_t next_ = 0;       // where the next row goes
  double opened_ms_ = 0;  // when the newest row was begun
};

}  // namespace spillway
