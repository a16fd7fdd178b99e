#include "cache/wheel.h"

#include <algorithm>

namespace spillway {

void Wheel::Place(Entry* entry) {
  // At least one tick ahead: the bucket of this tick has been emptied already.
  const int64_t tick = std::max((static_cast<int64_t>(entry->expiry) >> kTickLog2) + 1, last_ + 1);
  int level = 0;
  while (level < kLevels - 1 && (tick >> level * kSlotsLog2) - (last_ >> level * kSlotsLog2) >= kSlots)
    ++level;
  const int bucket = level * kSlots + static_cast<int>(tick >> level * kSlotsLog2 & (kSlots - 1));
  Entry* head = buckets_[bucket];
  entry->wheel_bucket = bucket;
  entry->wheel_prev = 0;
  entry->wheel_next = AddressOf(head);
  if (head) head->wheel_prev = AddressOf(entry);
  buckets_[bucket] = entry;
}

void Wheel::Unlink(Entry* entry) {
  Entry *prev = EntryAt(entry->wheel_prev), *next = EntryAt(entry->wheel_next);
  if (prev)
    prev->wheel_next = AddressOf(next);
  else
    buckets_[entry->wheel_bucket] = next;
  if (next) next->wheel_prev = AddressOf(prev);
}

void Wheel::Replace(Entry* from, Entry* to) {
  if (Entry* prev = EntryAt(to->wheel_prev))
    prev->wheel_next = AddressOf(to);
  else if (buckets_[to->wheel_bucket] == from)
    buckets_[to->wheel_bucket] = to;
  if (Entry* next = EntryAt(to->wheel_next)) next->wheel_prev = AddressOf(to);
}

}  // namespace spillway
