#include "cache/slabs.h"

#include <algorithm>

#include "memory/arena.h"

namespace spillway {
namespace {

struct Layout {
  size_t slab_bytes;
  uint32_t slots;
};

// Slabs of the C heap: as many slots as fit in 1/64 of the limit.
Layout HeapLayout(size_t slot, int64_t limit) {
  const size_t slots = std::clamp<size_t>(static_cast<size_t>(limit) / 64 / slot, 1, 64);
  return {kSlabHeader + slots * slot, static_cast<uint32_t>(slots)};
}

// Slabs of whole pages: the fewest from 64 KB on (1/4096 of the limit for a small cache, so that a class in
// little use does not hold much) that lose at most 1/64 behind the last slot; at most 256 KB are tried.
Layout PageLayout(size_t slot, int64_t limit) {
  static constexpr size_t kWanted = 16, kTried = 64;
  const size_t least = (kSlabHeader + slot + kPageBytes - 1) / kPageBytes;
  const size_t first =
      std::max(least, std::clamp<size_t>(static_cast<size_t>(limit) / 4096 / kPageBytes, 1, kWanted));
  const size_t last =
      std::max(first, std::min(kTried, std::max<size_t>(static_cast<size_t>(limit) / 64 / kPageBytes, 1)));
  size_t best = first;
  double best_loss = 1;
  for (size_t pages = first; pages <= last && best_loss > 1.0 / 64; ++pages) {
    const size_t bytes = pages * kPageBytes, slots = (bytes - kSlabHeader) / slot;
    const double loss = 1 - static_cast<double>(slots * slot) / static_cast<double>(bytes);
    if (loss >= best_loss) continue;
    best = pages;
    best_loss = loss;
  }
  const size_t bytes = best * kPageBytes;
  return {bytes, static_cast<uint32_t>((bytes - kSlabHeader) / slot)};
}

Slab* SlabOf(Entry* entry) {
  char* at = reinterpret_cast<char*>(entry);
  return reinterpret_cast<Slab*>(at - entry->slot * SlotBytesOf(entry->size_class) - kSlabHeader);
}

bool HasPins(Slab* slab) {
  for (uint32_t i = 0; i < slab->fresh; ++i) {
    Entry* entry = Slabs::SlotOf(slab, i);
    // A slot that is held is being filled or is pinned.
    if (entry->state() == SlotState::kHeld || (entry->state() == SlotState::kLinked && entry->pins > 0))
      return true;
  }
  return false;
}

}  // namespace

Slabs::~Slabs() { ReleaseEmpty(); }

Slabs::SizeClass& Slabs::Laid(SizeClassId id) {
  std::unique_ptr<SizeClass>& of = classes_[id];
  if (!of) {
    of = std::make_unique<SizeClass>();
    const size_t slot = SlotBytesOf(id);
    const Layout layout = commitment_.from_heap() ? HeapLayout(slot, commitment_.limit())
                                                  : PageLayout(slot, commitment_.limit());
    of->slots = layout.slots;
    of->slab_bytes = layout.slab_bytes;
  }
  return *of;
}

Entry* Slabs::SlotOf(Slab* slab, uint32_t number) {
  return reinterpret_cast<Entry*>(reinterpret_cast<char*>(slab) + kSlabHeader +
                                  number * SlotBytesOf(slab->size_class));
}

void Slabs::Enlist(Slab* slab, SizeClass& of) {
  slab->prev = nullptr;
  slab->next = of.with_room;
  if (of.with_room) of.with_room->prev = slab;
  of.with_room = slab;
}

void Slabs::Delist(Slab* slab, SizeClass& of) {
  (slab->prev ? slab->prev->next : of.with_room) = slab->next;
  if (slab->next) slab->next->prev = slab->prev;
}

bool Slabs::Grow(SizeClassId id, SizeClass& of) {
  auto* slab = static_cast<Slab*>(commitment_.Take(of.slab_bytes));
  if (!slab) return false;
  slab->size_class = id;
  of.free_slots += of.slots;
  ++of.empty_slabs;
  Enlist(slab, of);
  return true;
}

void Slabs::GiveBack(Slab* slab, SizeClass& of) { commitment_.Give(slab, of.slab_bytes); }

Entry* Slabs::Take(SizeClassId id, bool may_grow) {
  std::lock_guard lock(mutex_);
  SizeClass& of = Laid(id);
  if (!of.with_room && !(may_grow && Grow(id, of))) return nullptr;
  Slab* slab = of.with_room;
  Entry* entry = slab->free;
  if (entry) {
    slab->free = EntryAt(entry->order_next);
  } else {
    entry = SlotOf(slab, slab->fresh);
    entry->slot = slab->fresh++;
    entry->size_class = id;
  }
  if (slab->used++ == 0) --of.empty_slabs;
  --of.free_slots;
  if (slab->used == of.slots) Delist(slab, of);
  entry->set_state(SlotState::kHeld);
  entry->pins = 0;
  return entry;
}

void Slabs::Free(Entry* entry) {
  std::lock_guard lock(mutex_);
  Slab* slab = SlabOf(entry);
  SizeClass& of = *classes_[slab->size_class];
  entry->set_state(SlotState::kFree);
  entry->order_next = AddressOf(slab->free);
  slab->free = entry;
  if (slab->draining) {
    --slab->used;
    return;
  }
  if (slab->used == of.slots) Enlist(slab, of);
  ++of.free_slots;
  if (--slab->used > 0) return;
  // One empty slab stays for the next set of its size, unless it is a large share of the limit.
  const bool keep = of.empty_slabs == 0 && static_cast<int64_t>(of.slab_bytes) <= commitment_.limit() / 64;
  ++of.empty_slabs;
  if (keep) return;
  Delist(slab, of);
  --of.empty_slabs;
  of.free_slots -= of.slots;
  GiveBack(slab, of);
}

size_t Slabs::SlabBytes(SizeClassId id) {
  std::lock_guard lock(mutex_);
  return commitment_.RoundUp(Laid(id).slab_bytes);
}

bool Slabs::Ready(SizeClassId id) {
  std::lock_guard lock(mutex_);
  SizeClass& of = Laid(id);
  return of.with_room || Grow(id, of);
}

int Slabs::Roomiest(const std::vector<bool>& excluded) {
  std::lock_guard lock(mutex_);
  for (size_t id = 0; id < kSizeClasses; ++id)
    if (classes_[id] && !excluded[id] && classes_[id]->free_slots >= classes_[id]->slots)
      return static_cast<int>(id);
  return -1;
}

void Slabs::ReleaseEmpty() {
  std::lock_guard lock(mutex_);
  for (auto& of : classes_) {
    if (!of || of->empty_slabs == 0) continue;
    for (Slab *slab = of->with_room, *next; slab; slab = next) {
      next = slab->next;
      if (slab->used > 0) continue;
      Delist(slab, *of);
      of->free_slots -= of->slots;
      GiveBack(slab, *of);
    }
    of->empty_slabs = 0;
  }
}

Slab* Slabs::BeginDrain(SizeClassId id, Entry* coldest) {
  static constexpr int kLooks = 32;
  std::lock_guard lock(mutex_);
  SizeClass& of = *classes_[id];
  Slab* found = nullptr;
  int looks = 0;
  for (Slab* slab = of.with_room; slab && looks < kLooks; slab = slab->next, ++looks)
    if ((!found || slab->used < found->used) && !HasPins(slab)) found = slab;
  if (found) {
    Delist(found, of);
    of.free_slots -= of.slots - found->used;
    if (found->used == 0) --of.empty_slabs;
  } else {
    if (!coldest || HasPins(SlabOf(coldest))) return nullptr;
    found = SlabOf(coldest);
    if (found->used < of.slots) {
      Delist(found, of);
      of.free_slots -= of.slots - found->used;
    }
  }
  found->draining = true;
  return found;
}

void Slabs::Drained(Slab* slab) {
  std::lock_guard lock(mutex_);
  GiveBack(slab, *classes_[slab->size_class]);
}

}  // namespace spillway
