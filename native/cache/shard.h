// A part of one cache: the entries whose keys hash to it, behind one lock.
#pragma once

#include <memory>
#include <vector>

#include "cache/index.h"
#include "cache/policy.h"
#include "cache/slabs.h"
#include "cache/wheel.h"
#include "core/short_mutex.h"

namespace spillway {

struct CacheCounts {
  uint64_t hits = 0, misses = 0, sets = 0, evictions = 0, expirations = 0;
  uint64_t entries = 0, payload_bytes = 0;  // in the index; values alone
  uint64_t pins = 0;
};

// REQUIRES of every member: `mutex` is held.
class alignas(64) Shard {
 public:
  Shard(Commitment* commitment, Slabs* slabs, uint32_t tables) : index(commitment, tables), slabs_(*slabs) {}

  // Puts a held entry in place of whatever its key led to. REQUIRES: index.Reserve(hash) held.
  void Link(Entry* entry, uint64_t hash, int64_t now);
  // Takes an entry out of the index; its slot is free at once, or when the last pin goes.
  void Unlink(Entry* entry, uint64_t hash);
  void Unlink(Entry* entry);
  void Evict(Entry* entry);

  void Use(Entry* entry) { OrderOf(entry->size_class).Use(entry, ++uses_); }
  // False where the entry has all the pins it can have. A pinned entry is neither evicted nor moved.
  bool Pin(Entry* entry);
  void Unpin(Entry* entry);

  // Removes what has expired.
  void Advance(int64_t now);
  // Moves an entry that is not pinned into a held slot of the same class.
  void Move(Entry* from, Entry* to);

  // The coldest entry of a class with its age, in uses of this shard; 0 where there is none.
  Entry* ColdestOf(SizeClassId id, uint32_t* age);
  // The largest age over all classes, and whose it is.
  uint32_t OldestAge(SizeClassId* id, const std::vector<bool>* excluded = nullptr) const;

  uint64_t timed() const { return wheel_ ? wheel_->count() : 0; }

  ShortMutex mutex;
  Index index;
  CacheCounts counts;

 private:
  static constexpr uint16_t kUnused = UINT16_MAX;
  struct ClassOrder {
    SizeClassId id;
    LruOrder order;
  };

  LruOrder& OrderOf(SizeClassId id);

  Slabs& slabs_;
  std::vector<uint16_t> place_of_class_ = std::vector<uint16_t>(kSizeClasses, kUnused);
  std::vector<ClassOrder> orders_;  // of the classes that were ever used
  std::unique_ptr<Wheel> wheel_;    // from the first entry that expires on
  uint32_t uses_ = 0;
};

uint64_t HashOfKey(KeyKind kind, const char* data, size_t bytes);

}  // namespace spillway
