// When entries expire: a hierarchical timing wheel (Varghese and Lauck, 1987), so that their bytes come free
// without anybody asking for them. A lookup compares the exact time itself; the wheel is 128 ms coarse.
#pragma once

#include <array>

#include "cache/entry.h"

namespace spillway {

// Not thread-safe. Holds no memory beyond its own: entries are linked through their headers.
class Wheel {
 public:
  explicit Wheel(int64_t now) : last_(now >> kTickLog2) {}

  uint64_t count() const { return count_; }

  void Add(Entry* entry) {
    Place(entry);
    ++count_;
  }
  void Remove(Entry* entry) {
    Unlink(entry);
    --count_;
  }
  // `to` is a copy of `from` and takes its place.
  void Replace(Entry* from, Entry* to);

  // Calls `expire` with each entry whose time has come; it must remove the entry.
  template <typename Expire>
  void Advance(int64_t now, Expire expire) {
    const int64_t tick = now >> kTickLog2, last = last_;
    if (tick <= last) return;
    last_ = tick;
    for (int level = 0; level < kLevels; ++level) {
      const int64_t from = last >> level * kSlotsLog2, to = tick >> level * kSlotsLog2;
      if (from == to) break;
      for (int64_t at = from + 1; at <= to && at <= from + kSlots; ++at)
        Empty(level * kSlots + static_cast<int>(at & (kSlots - 1)), now, expire);
    }
  }

 private:
  static constexpr int kTickLog2 = 7, kSlotsLog2 = 6, kSlots = 1 << kSlotsLog2;
  static constexpr int kLevels = 6;  // 2^(7 + 36) ms: 278 years

  void Place(Entry* entry);
  void Unlink(Entry* entry);

  template <typename Expire>
  void Empty(int bucket, int64_t now, Expire expire) {
    Entry* next = buckets_[bucket];
    while (Entry* entry = next) {
      next = EntryAt(entry->wheel_next);
      if (static_cast<int64_t>(entry->expiry) <= now) {
        expire(entry);
        continue;
      }
      Unlink(entry);
      Place(entry);
    }
  }

  int64_t last_;  // the tick up to which buckets have been emptied
  uint64_t count_ = 0;
  std::array<Entry*, kLevels * kSlots> buckets_{};
};

}  // namespace spillway
