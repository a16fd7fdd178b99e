// Sentences of the governor: which bound, and its figures.
#pragma once

#include <string>

#include "memory/pressure.h"

namespace spillway {

// "81 % of the budget of 192 MB is used: the working set under /sys/… is 156 MB of 192 MB".
std::string DescribePressure(const PressureReading& reading, bool by_size);

// "1.5 MB": decimal units, for a person.
std::string FormatSize(int64_t bytes);

}  // namespace spillway
