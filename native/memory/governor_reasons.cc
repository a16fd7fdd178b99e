#include "memory/governor_reasons.h"

#include <cmath>
#include <cstdio>

namespace spillway {

std::string FormatSize(int64_t bytes) {
  static constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  int unit = 0;
  for (; std::fabs(value) >= 999.5 && unit < 4; ++unit) value /= 1e3;
  char text[32];
  std::snprintf(text, sizeof(text), "%.*f %s", unit > 0 && std::fabs(value) < 10 ? 1 : 0, value,
                kUnits[unit]);
  return text;
}

std::string DescribePressure(const PressureReading& reading, bool by_size) {
  char percent[32];
  std::snprintf(percent, sizeof(percent), "%.1f %%", 100 * reading.used_share);
  const std::string used = std::string(percent) + " of the budget of " + FormatSize(reading.budget);
  if (by_size)
    return used + " is used: resident memory is " + FormatSize(reading.resident + reading.children) + ", " +
           FormatSize(reading.children) + " of it in children";
  return used + " is used or out of reach: the working set under " + reading.source + " is " +
         FormatSize(reading.working_set) + " of " + FormatSize(reading.limit);
}

}  // namespace spillway
