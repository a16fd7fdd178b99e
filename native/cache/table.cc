// Operations on one key.
#include "cache/table.h"

#include <algorithm>
#include <bit>

#include "cache/reaper.h"
#include "core/clock.h"

namespace spillway {
namespace {

constexpr int64_t kHeapLimit = 1 << 20;      // smaller caches take their pieces from the C heap
constexpr int64_t kShardedLimit = 64 << 20;  // smaller caches are one shard, so exactly least recently used
constexpr uint32_t kShards = 8;
constexpr int64_t kBytesPerTable = 4 << 20;    // of the limit, for each table of the index
constexpr size_t kCopiedUnderLock = 16 << 10;  // larger values are pinned and copied outside the lock
constexpr uint64_t kTolerance = 7;             // eighths of the greatest age that are as good as the greatest
constexpr int kAttempts = 64;                  // to find room that others may snatch away

uint32_t ShardsFor(int64_t limit) { return limit < kShardedLimit ? 1 : kShards; }

uint32_t TablesFor(int64_t limit) {
  const int64_t wanted = limit / kBytesPerTable / ShardsFor(limit);
  return static_cast<uint32_t>(std::bit_floor(static_cast<uint64_t>(std::clamp<int64_t>(wanted, 1, 4096))));
}

// An empty buffer of JavaScript has no address, and to copy from there is undefined even for no bytes.
void CopyBytes(char* to, const char* from, size_t bytes) {
  if (bytes > 0) std::memcpy(to, from, bytes);
}

}  // namespace

CacheTable::CacheTable(Options options, AccountId account)
    : options_(std::move(options)),
      commitment_(account, options_.max_bytes, options_.max_bytes < kHeapLimit),
      slabs_(&commitment_) {
  for (uint32_t i = 0; i < ShardsFor(options_.max_bytes); ++i)
    shards_.push_back(std::make_unique<Shard>(&commitment_, &slabs_, TablesFor(options_.max_bytes)));
}

CacheTable::~CacheTable() { UnlinkAll(); }

int64_t CacheTable::Now() const { return options_.manual_clock ? manual_now_.load() : CoarseMilliseconds(); }

int64_t CacheTable::ExpiryOf(int64_t ttl_ms) const {
  static constexpr int64_t kFarthest = int64_t{1} << 43;  // 278 years, what an entry and the wheel can hold
  const int64_t ttl = ttl_ms == kDefaultTtl ? options_.ttl_ms : ttl_ms;
  if (ttl == 0) return Entry::kNever;
  const int64_t now = Now();
  return ttl >= kFarthest - now ? Entry::kNever : now + ttl;
}

Entry* CacheTable::FindLive(Shard& shard, const CacheKey& key) {
  Entry* entry = shard.index.Find(key);
  if (!entry || entry->expiry == Entry::kNever || !entry->ExpiredAt(Now())) return entry;
  ++shard.counts.expirations;
  shard.Unlink(entry, key.hash);
  return nullptr;
}

int64_t CacheTable::Read(const CacheKey& key, char* target, size_t room, bool use) {
  Shard& shard = ShardOf(key.hash);
  std::unique_lock lock(shard.mutex);
  Entry* entry = FindLive(shard, key);
  if (!entry) {
    shard.counts.misses += use;
    return kMissing;
  }
  const size_t bytes = entry->value_bytes;
  if (bytes > room) return kMissing - 1 - static_cast<int64_t>(bytes);
  shard.counts.hits += use;
  // Pinning counts as a use. Where the value stands is asked under the lock: neighbours in the wheel write
  // words of this entry that it shares with the key's length.
  const char* value = entry->value();
  if (use && bytes > kCopiedUnderLock && shard.Pin(entry)) {
    lock.unlock();
    CopyBytes(target, value, bytes);
    lock.lock();
    shard.Unpin(entry);
    return static_cast<int64_t>(bytes);
  }
  // The neighbours in the order of use are touched next: they are fetched while the value is copied.
  if (use && entry->pins == 0) {
    __builtin_prefetch(EntryAt(entry->order_prev), 1);
    __builtin_prefetch(EntryAt(entry->order_next), 1);
  }
  CopyBytes(target, value, bytes);
  if (use && entry->pins == 0) shard.Use(entry);
  return static_cast<int64_t>(bytes);
}

bool CacheTable::Has(const CacheKey& key) {
  Shard& shard = ShardOf(key.hash);
  std::lock_guard lock(shard.mutex);
  return FindLive(shard, key) != nullptr;
}

bool CacheTable::Delete(const CacheKey& key) {
  Shard& shard = ShardOf(key.hash);
  std::lock_guard lock(shard.mutex);
  Entry* entry = FindLive(shard, key);
  if (entry) shard.Unlink(entry, key.hash);
  return entry != nullptr;
}

CacheTable::Pinned CacheTable::Pin(const CacheKey& key, bool* refused) {
  Shard& shard = ShardOf(key.hash);
  std::lock_guard lock(shard.mutex);
  Entry* entry = FindLive(shard, key);
  *refused = entry && !shard.Pin(entry);
  (entry ? shard.counts.hits : shard.counts.misses) += *refused ? 0 : 1;
  if (!entry || *refused) return {};
  return {entry, static_cast<uint32_t>(key.hash >> 56 & (shards_.size() - 1)), entry->value(),
          entry->value_bytes};
}

void CacheTable::Unpin(Pinned pinned) {
  Shard& shard = *shards_[pinned.shard];
  {
    std::lock_guard lock(shard.mutex);
    shard.Unpin(pinned.entry);
  }
  // What was pinned may have kept the cache above a limit that was lowered meanwhile.
  if (commitment_.committed() > commitment_.limit()) Resize(commitment_.limit());
}

// The slot of the coldest entry of the class where that is nearly the coldest of all, else none.
Entry* CacheTable::TakeSlot(Shard& shard, SizeClassId id) {
  if (Entry* entry = slabs_.Take(id, true)) return entry;
  uint32_t age;
  Entry* coldest = shard.ColdestOf(id, &age);
  SizeClassId oldest_class = id;
  if (!coldest || uint64_t{age} * 8 < uint64_t{shard.OldestAge(&oldest_class)} * kTolerance) return nullptr;
  shard.Evict(coldest);
  return slabs_.Take(id, true);
}

// In place, where the new value fits the old one's slot.
bool CacheTable::Overwrite(Shard& shard, const CacheKey& key, const char* value, size_t bytes,
                           int64_t expiry) {
  Entry* entry = shard.index.Find(key);
  if (!entry || entry->pins > 0 || bytes > kCopiedUnderLock || expiry != Entry::kNever ||
      entry->expiry != Entry::kNever || entry->size_class != SizeClassOf(Entry::SlotBytes(key.bytes, bytes)))
    return false;
  CopyBytes(entry->value(), value, bytes);
  shard.counts.payload_bytes += bytes - entry->value_bytes;
  entry->value_bytes = static_cast<uint32_t>(bytes);
  shard.Use(entry);
  ++shard.counts.sets;
  return true;
}

Entry* CacheTable::Prepare(Shard& shard, const CacheKey& key, size_t bytes, int64_t expiry) {
  if (!shard.index.Reserve(key.hash)) return nullptr;
  Entry* entry = TakeSlot(shard, SizeClassOf(Entry::SlotBytes(key.bytes, bytes)));
  if (!entry) return nullptr;
  entry->key_bytes = key.bytes;
  entry->kind_ = static_cast<uint8_t>(key.kind);
  entry->value_bytes = static_cast<uint32_t>(bytes);
  entry->expiry = expiry;
  CopyBytes(entry->key(), key.data, key.bytes);
  return entry;
}

bool CacheTable::Set(const CacheKey& key, const char* value, size_t bytes, int64_t ttl_ms) {
  const SizeClassId id = bytes > kLargestValue ? 0 : SizeClassOf(Entry::SlotBytes(key.bytes, bytes));
  if (bytes > kLargestValue || static_cast<int64_t>(slabs_.SlabBytes(id)) > commitment_.limit())
    return Refuse(key);
  const int64_t expiry = ExpiryOf(ttl_ms);
  Shard& shard = ShardOf(key.hash);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    {
      std::unique_lock lock(shard.mutex);
      if (expiry != Entry::kNever || shard.timed() > 0) shard.Advance(Now());
      if (Overwrite(shard, key, value, bytes, expiry)) return true;
      Entry* entry = Prepare(shard, key, bytes, expiry);
      if (entry && Fill(shard, lock, entry, key.hash, value)) {
        lock.unlock();
        if (expiry != Entry::kNever) WatchForExpiry(*this);
        return true;
      }
    }
    if (!MakeRoom(id, key.hash)) break;
  }
  return Refuse(key);
}

// A held slot is neither evicted nor moved, so a large value is copied into it without the lock.
bool CacheTable::Fill(Shard& shard, std::unique_lock<ShortMutex>& lock, Entry* entry, uint64_t hash,
                      const char* value) {
  const bool outside = entry->value_bytes > kCopiedUnderLock;
  if (outside) lock.unlock();
  CopyBytes(entry->value(), value, entry->value_bytes);
  if (outside) {
    lock.lock();
    if (!shard.index.Reserve(hash)) {
      slabs_.Free(entry);
      return false;
    }
  }
  shard.Link(entry, hash, Now());
  ++shard.counts.sets;
  return true;
}

bool CacheTable::Refuse(const CacheKey& key) {
  refusals_.fetch_add(1, std::memory_order_relaxed);
  Delete(key);
  return false;
}

}  // namespace spillway
