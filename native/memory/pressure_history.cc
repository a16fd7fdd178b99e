#include "memory/pressure_history.h"

namespace spillway {

void PressureHistory::Add(const PressureFigures& figures) {
  if (!rows_.empty() && figures.at_ms >= opened_ms_ && figures.at_ms < opened_ms_ + kEveryMs) {
    if (figures.used_share >= Newest().used_share) Newest() = figures;
    return;
  }
  opened_ms_ = figures.at_ms;
  rows_.reserve(kRows);
  if (rows_.size() < kRows)
    rows_.push_back(figures);
  else
    rows_[next_] = figures;
  next_ = (next_ + 1) % kRows;
}

std::vector<PressureFigures> PressureHistory::Read() const {
  const size_t oldest = rows_.size() < kRows ? 0 : next_;
  std::vector<PressureFigures> rows;
  rows.reserve(rows_.size());
  for (size_t i = 0; i < rows_.size(); ++i) rows.push_back(rows_[(oldest + i) % rows_.size()]);
  return rows;
}

}  // namespace spillway
