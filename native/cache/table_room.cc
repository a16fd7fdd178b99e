// Operations on all entries of a table: they hold the locks of all shards.
#include "cache/table.h"

namespace spillway {

class CacheTable::AllLocks {
 public:
  explicit AllLocks(CacheTable& table) : table_(table) {
    for (auto& shard : table_.shards_) shard->mutex.lock();
  }
  ~AllLocks() {
    for (auto& shard : table_.shards_) shard->mutex.unlock();
  }
  AllLocks(const AllLocks&) = delete;

 private:
  CacheTable& table_;
};

Entry* CacheTable::ColdestOf(SizeClassId id, Shard** owner) {
  Entry* coldest = nullptr;
  uint32_t oldest = 0;
  for (auto& shard : shards_) {
    uint32_t age;
    Entry* entry = shard->ColdestOf(id, &age);
    if (age <= oldest) continue;
    oldest = age;
    coldest = entry;
    *owner = shard.get();
  }
  return coldest;
}

// The class of the coldest entry of all, by the shards' counts of uses: keys spread evenly over them.
int CacheTable::OldestClass(const std::vector<bool>& excluded) {
  int found = -1;
  uint32_t oldest = 0;
  for (auto& shard : shards_) {
    SizeClassId id = 0;
    const uint32_t age = shard->OldestAge(&id, &excluded);
    if (age <= oldest) continue;
    oldest = age;
    found = id;
  }
  return found;
}

bool CacheTable::MakeRoom(SizeClassId wanted, uint64_t hash) {
  AllLocks locks(*this);
  const int64_t now = Now();
  for (auto& shard : shards_) shard->Advance(now);
  std::vector<bool> excluded(kSizeClasses);
  Shard& home = ShardOf(hash);
  bool slot = false;
  for (;;) {
    slot = slot || slabs_.Ready(wanted);
    if (slot && home.index.Reserve(hash)) return true;
    int victim = slabs_.Roomiest(excluded);
    if (victim < 0 || victim == wanted) victim = OldestClass(excluded);
    if (victim < 0) return false;
    if (!slot && victim == wanted) {
      Shard* owner = nullptr;
      Entry* coldest = ColdestOf(wanted, &owner);
      owner->Evict(coldest);
      slot = true;
    } else if (!EmptySlabOf(static_cast<SizeClassId>(victim))) {
      excluded[victim] = true;
    }
  }
}

// Frees one slab of the class: its coldest entries go, the others move into the slots that frees. False where
// pinned entries stand in the way.
bool CacheTable::EmptySlabOf(SizeClassId id) {
  Shard* owner = nullptr;
  Slab* slab = slabs_.BeginDrain(id, ColdestOf(id, &owner));
  if (!slab) return false;
  for (uint32_t i = 0; i < slab->fresh; ++i) {
    Entry* entry = Slabs::SlotOf(slab, i);
    while (entry->state() == SlotState::kLinked) {
      if (Entry* to = slabs_.Take(id, false)) {
        ShardOf(HashOfKey(entry->kind(), entry->key(), entry->key_bytes)).Move(entry, to);
        break;
      }
      Entry* coldest = ColdestOf(id, &owner);
      owner->Evict(coldest);
    }
  }
  slabs_.Drained(slab);
  return true;
}

void CacheTable::Reclaim(int64_t target) {
  if (target <= 0) UnlinkAll();
  slabs_.ReleaseEmpty();
  std::vector<bool> excluded(kSizeClasses);
  while (commitment_.committed() > target) {
    int victim = slabs_.Roomiest(excluded);
    if (victim < 0) victim = OldestClass(excluded);
    if (victim < 0) break;
    if (!EmptySlabOf(static_cast<SizeClassId>(victim))) excluded[victim] = true;
  }
  for (auto& shard : shards_) shard->index.Fit();
}

void CacheTable::UnlinkAll() {
  for (auto& shard : shards_) {
    std::vector<Entry*> entries;
    entries.reserve(shard->counts.entries);
    shard->index.ForEach([&](Entry* entry) { entries.push_back(entry); });
    for (Entry* entry : entries) shard->Unlink(entry);
  }
}

void CacheTable::Clear() {
  AllLocks locks(*this);
  Reclaim(0);
}

void CacheTable::Resize(int64_t bytes) {
  AllLocks locks(*this);
  commitment_.set_limit(bytes);
  if (commitment_.committed() > bytes) Reclaim(bytes);
}

int64_t CacheTable::Shrink(int64_t bytes) {
  AllLocks locks(*this);
  const int64_t before = commitment_.committed();
  Reclaim(before - std::min(bytes, before));
  return before - commitment_.committed();
}

void CacheTable::Expire() {
  AllLocks locks(*this);
  const int64_t now = Now();
  for (auto& shard : shards_) shard->Advance(now);
  slabs_.ReleaseEmpty();
}

uint64_t CacheTable::Timed() {
  uint64_t timed = 0;
  for (auto& shard : shards_) {
    std::lock_guard lock(shard->mutex);
    timed += shard->timed();
  }
  return timed;
}

CacheTable::Stats CacheTable::Read() {
  Stats sum{};
  for (auto& shard : shards_) {
    std::lock_guard lock(shard->mutex);
    shard->Advance(Now());
    const CacheCounts& counts = shard->counts;
    sum.hits += counts.hits;
    sum.misses += counts.misses;
    sum.sets += counts.sets;
    sum.evictions += counts.evictions;
    sum.expirations += counts.expirations;
    sum.entries += counts.entries;
    sum.payload_bytes += counts.payload_bytes;
    sum.pins += counts.pins;
  }
  sum.max_bytes = commitment_.limit();
  sum.committed_bytes = commitment_.committed();
  sum.refusals = refusals_.load();
  return sum;
}

}  // namespace spillway
