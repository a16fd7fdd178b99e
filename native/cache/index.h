// From a key to its entry: open addressing with linear probing, in many small tables that grow one by one.
//
// A place is one word: the entry's address and 20 bits of its hash, which tell its home and most strangers
// apart without touching an entry. Tables grow by a quarter, so that they stand between 65 and 81 % full: 10
// to 13 bytes an entry, and a growth never copies more than one small table. Not thread-safe.
#pragma once

#include <vector>

#include "cache/commitment.h"
#include "cache/entry.h"

namespace spillway {

class Index {
 public:
  // `tables` is a power of two.
  Index(Commitment* commitment, uint32_t tables) : commitment_(*commitment), tables_(tables) {}
  ~Index();
  Index(const Index&) = delete;
  Index& operator=(const Index&) = delete;

  Entry* Find(const CacheKey& key) const;
  // Makes sure that one more entry with this hash fits; false where the memory for it was refused.
  bool Reserve(uint64_t hash);
  // REQUIRES: Reserve(hash) held since the last insertion.
  void Insert(uint64_t hash, Entry* entry);
  void Erase(uint64_t hash, Entry* entry);
  void Replace(uint64_t hash, Entry* from, Entry* to);
  // Gives back what tables that emptied no longer need.
  void Fit();
  // Most bytes that one Reserve may ask for.
  size_t GrowthBytes() const;

  template <typename Visit>
  void ForEach(Visit visit) const {
    for (const Table& table : tables_)
      for (uint32_t i = 0; i < table.capacity; ++i)
        if (table.words[i]) visit(Decode(table.words[i]));
  }

 private:
  struct Table {
    uint64_t* words = nullptr;
    uint32_t capacity = 0;
    uint32_t count = 0;
  };
  static constexpr int kTagBits = 20;
  static constexpr uint64_t kTagMask = (1u << kTagBits) - 1;

  static uint64_t Encode(Entry* entry, uint64_t hash) {
    return AddressOf(entry) >> 4 << kTagBits | (hash & kTagMask);
  }
  static Entry* Decode(uint64_t word) { return EntryAt(word >> kTagBits << 4); }
  static uint32_t Home(uint64_t tag, uint32_t capacity) {
    return static_cast<uint32_t>(tag * capacity >> kTagBits);
  }
  static uint32_t Vacancy(const Table& table, uint64_t tag);
  // Bits of the hash that neither the tag nor the choice of the shard uses.
  Table& TableOf(uint64_t hash) { return tables_[hash >> 24 & (tables_.size() - 1)]; }
  const Table& TableOf(uint64_t hash) const { return tables_[hash >> 24 & (tables_.size() - 1)]; }
  uint32_t PlaceOf(const Table& table, uint64_t hash, Entry* entry) const;
  uint32_t NextCapacity(uint32_t capacity) const;
  bool Rehash(Table& table, uint32_t capacity);

  Commitment& commitment_;
  std::vector<Table> tables_;
};

}  // namespace spillway
