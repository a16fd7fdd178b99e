// Slots of every size class, cut from slabs that are committed and given back as a whole.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <vector>

#include "cache/commitment.h"
#include "cache/entry.h"
#include "cache/size_classes.h"
#include "core/short_mutex.h"

namespace spillway {

// Stands at the beginning of its memory; the slots follow. Slots from `fresh` on were never used, so their
// pages are not resident yet.
struct Slab {
  Slab *prev, *next;  // in its class's list of slabs with free slots
  Entry* free;
  uint32_t used, fresh;
  SizeClassId size_class;
  bool draining;
};
inline constexpr size_t kSlabHeader = 64;
static_assert(sizeof(Slab) <= kSlabHeader);

// Thread-safe. What is said of a class holds for slots of every shard.
class Slabs {
 public:
  explicit Slabs(Commitment* commitment) : commitment_(*commitment) {}
  ~Slabs();
  Slabs(const Slabs&) = delete;
  Slabs& operator=(const Slabs&) = delete;

  // A slot in state kHeld without pins; from a new slab where `may_grow`. Null where there is none.
  Entry* Take(SizeClassId id, bool may_grow);
  void Free(Entry* entry);

  // Bytes of one slab of the class, as they are committed.
  size_t SlabBytes(SizeClassId id);
  // Whether Take would succeed now; commits a slab where none of the class has a free slot.
  bool Ready(SizeClassId id);
  // A class whose free slots add up to a slab, so that one can be emptied by moving alone; -1 without one.
  int Roomiest(const std::vector<bool>& excluded);
  // Gives back every slab without an entry.
  void ReleaseEmpty();

  // A slab to empty that holds no pinned entry: the one with the fewest entries among those with free slots,
  // else that of `coldest`. Null where all are pinned. It takes no part in Take until Drained.
  Slab* BeginDrain(SizeClassId id, Entry* coldest);
  // Gives the slab back; all its slots are free.
  void Drained(Slab* slab);
  static Entry* SlotOf(Slab* slab, uint32_t number);

 private:
  struct SizeClass {
    uint32_t slots = 0;  // in a slab; 0 until the class is first used
    size_t slab_bytes = 0;
    Slab* with_room = nullptr;
    uint64_t free_slots = 0;
    uint32_t empty_slabs = 0;
  };

  SizeClass& Laid(SizeClassId id);
  bool Grow(SizeClassId id, SizeClass& of);
  void GiveBack(Slab* slab, SizeClass& of);
  static void Enlist(Slab* slab, SizeClass& of);
  static void Delist(Slab* slab, SizeClass& of);

  Commitment& commitment_;
  ShortMutex mutex_;  // guards what follows
  std::array<std::unique_ptr<SizeClass>, kSizeClasses> classes_;
};

}  // namespace spillway
