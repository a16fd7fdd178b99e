// A byte cache: entries in slots of an arena, bounded by bytes, shared by every thread that opens it by name.
//
// What counts against the limit is what is committed: slabs and index, so slots with their key, metadata and
// rounding. An operation on one key takes the lock of that key's shard for some hundred nanoseconds; whatever
// concerns all entries (making room from another size class, resize, shrink, clear) takes the locks of all
// shards, in order. Inside a shard's lock only those of Slabs and of the arena are taken.
//
// Eviction is least recently used. Small caches are one shard, larger ones keep the order per shard; and a
// newcomer evicts the coldest entry of its own size class while that is nearly as old as the coldest of all
// (7/8 of its age), else the class that holds the coldest gives up a slab, whose warmer entries are moved.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "cache/shard.h"

namespace spillway {

class CacheTable : public std::enable_shared_from_this<CacheTable> {
 public:
  struct Options {
    std::string name;  // empty: private to whoever opened it
    int64_t max_bytes = 0;
    int64_t ttl_ms = 0;  // of entries that do not say otherwise; 0: they never expire
    bool manual_clock = false;
    bool operator==(const Options&) const = default;
  };
  struct Stats : CacheCounts {
    int64_t max_bytes, committed_bytes;
    uint64_t refusals;
  };
  // A pinned entry. Its bytes stay where they are until Unpin.
  struct Pinned {
    Entry* entry = nullptr;
    uint32_t shard = 0;
    // As they were under the lock: the entry's own fields may not be read without it.
    char* value = nullptr;
    uint32_t bytes = 0;
  };

  static constexpr int64_t kMissing = -1;
  static constexpr int64_t kDefaultTtl = -1;
  static constexpr size_t kLargestValue = UINT32_MAX;
  static constexpr size_t kLargestKey = UINT16_MAX;

  CacheTable(Options options, AccountId account);
  ~CacheTable();

  const Options& options() const { return options_; }
  static CacheKey MakeKey(KeyKind kind, const char* data, size_t bytes) {
    return {data, static_cast<uint32_t>(bytes), kind, HashOfKey(kind, data, bytes)};
  }

  // Copies the value in. False where it cannot fit, or the ledger refuses and nothing is left to evict; the
  // key has no value then.
  bool Set(const CacheKey& key, const char* value, size_t bytes, int64_t ttl_ms);
  // Bytes copied into `target`, kMissing, or -2 - n where the value has n bytes and `room` is less. `use`
  // counts it as a use.
  int64_t Read(const CacheKey& key, char* target, size_t room, bool use);
  bool Has(const CacheKey& key);
  bool Delete(const CacheKey& key);
  // A use. Nothing where the key has no value, or (`refused`) no pins are left.
  Pinned Pin(const CacheKey& key, bool* refused);
  void Unpin(Pinned pinned);

  void Clear();
  // Sets the limit and evicts down to it.
  void Resize(int64_t bytes);
  // Evicts and compacts until `bytes` have been given back to the system; returns how many were.
  int64_t Shrink(int64_t bytes);
  // Removes what has expired and gives slabs without entries back.
  void Expire();
  Stats Read();
  int64_t committed() const { return commitment_.committed(); }
  template <typename Visit>
  void ForEachKey(Visit visit) {
    for (auto& shard : shards_) {
      std::lock_guard lock(shard->mutex);
      const int64_t now = Now();
      shard->index.ForEach([&](Entry* entry) {
        if (!entry->ExpiredAt(now)) visit(entry->kind(), entry->key(), entry->key_bytes);
      });
    }
  }

  // For tests: time moves only here.
  void AdvanceClock(int64_t ms) { manual_now_.fetch_add(ms); }

  // Whether the reaper looks after this table; it stops when no entry expires any more.
  std::atomic<bool> watched{false};
  uint64_t Timed();

 private:
  class AllLocks;

  int64_t Now() const;
  Shard& ShardOf(uint64_t hash) { return *shards_[hash >> 56 & (shards_.size() - 1)]; }
  // The entry, with what has expired removed; null where there is none.
  Entry* FindLive(Shard& shard, const CacheKey& key);
  Entry* TakeSlot(Shard& shard, SizeClassId id);
  bool Overwrite(Shard& shard, const CacheKey& key, const char* value, size_t bytes, int64_t expiry);
  Entry* Prepare(Shard& shard, const CacheKey& key, size_t bytes, int64_t expiry);
  bool Fill(Shard& shard, std::unique_lock<ShortMutex>& lock, Entry* entry, uint64_t hash, const char* value);
  int64_t ExpiryOf(int64_t ttl_ms) const;
  bool Refuse(const CacheKey& key);

  // Takes every lock: makes a slot of the class and a place in the index come free.
  bool MakeRoom(SizeClassId wanted, uint64_t hash);

  // REQUIRES of the rest: every lock is held.
  void Reclaim(int64_t target);
  bool EmptySlabOf(SizeClassId id);
  Entry* ColdestOf(SizeClassId id, Shard** owner);
  int OldestClass(const std::vector<bool>& excluded);
  void UnlinkAll();

  const Options options_;
  std::atomic<int64_t> manual_now_{1};
  std::atomic<uint64_t> refusals_{0};
  // Destroyed last to first: the shards' indexes and the slabs give their memory back to the commitment.
  Commitment commitment_;
  Slabs slabs_;
  std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace spillway
