#include "cache/index.h"

#include <algorithm>

namespace spillway {
namespace {

constexpr size_t kWord = sizeof(uint64_t);

// The most words in use.
uint32_t Fill(uint32_t capacity) { return static_cast<uint32_t>(uint64_t{capacity} * 13 / 16); }

}  // namespace

Index::~Index() {
  for (Table& table : tables_)
    if (table.words) commitment_.Give(table.words, table.capacity * kWord);
}

Entry* Index::Find(const CacheKey& key) const {
  const Table& table = TableOf(key.hash);
  if (table.count == 0) return nullptr;
  const uint64_t tag = key.hash & kTagMask;
  for (uint32_t i = Home(tag, table.capacity); table.words[i]; i = i + 1 == table.capacity ? 0 : i + 1) {
    if ((table.words[i] & kTagMask) != tag) continue;
    Entry* entry = Decode(table.words[i]);
    if (entry->Matches(key)) return entry;
  }
  return nullptr;
}

uint32_t Index::Vacancy(const Table& table, uint64_t tag) {
  uint32_t i = Home(tag, table.capacity);
  while (table.words[i]) i = i + 1 == table.capacity ? 0 : i + 1;
  return i;
}

uint32_t Index::NextCapacity(uint32_t capacity) const {
  const size_t words = capacity == 0 ? 1 : capacity + capacity / 4;
  return static_cast<uint32_t>(commitment_.RoundUp(words * kWord) / kWord);
}

bool Index::Reserve(uint64_t hash) {
  Table& table = TableOf(hash);
  if (table.count < Fill(table.capacity)) return true;
  return Rehash(table, NextCapacity(table.capacity));
}

bool Index::Rehash(Table& table, uint32_t capacity) {
  Table fitted;
  if (capacity > 0) {
    fitted = {static_cast<uint64_t*>(commitment_.Take(capacity * kWord)), capacity, table.count};
    if (!fitted.words) return false;
    for (uint32_t i = 0; i < table.capacity; ++i)
      if (table.words[i]) fitted.words[Vacancy(fitted, table.words[i] & kTagMask)] = table.words[i];
  }
  if (table.words) commitment_.Give(table.words, table.capacity * kWord);
  table = fitted;
  return true;
}

void Index::Insert(uint64_t hash, Entry* entry) {
  Table& table = TableOf(hash);
  table.words[Vacancy(table, hash & kTagMask)] = Encode(entry, hash);
  ++table.count;
}

uint32_t Index::PlaceOf(const Table& table, uint64_t hash, Entry* entry) const {
  const uint64_t word = Encode(entry, hash);
  uint32_t i = Home(hash & kTagMask, table.capacity);
  while (table.words[i] != word) i = i + 1 == table.capacity ? 0 : i + 1;
  return i;
}

// Later words of the run move up, so that no tombstones are needed (Knuth, volume 3, 6.4, algorithm R).
void Index::Erase(uint64_t hash, Entry* entry) {
  Table& table = TableOf(hash);
  uint32_t hole = PlaceOf(table, hash, entry);
  const auto distance = [&](uint32_t from, uint32_t to) {
    return to >= from ? to - from : to + table.capacity - from;
  };
  for (uint32_t i = hole;;) {
    i = i + 1 == table.capacity ? 0 : i + 1;
    const uint64_t word = table.words[i];
    if (!word) break;
    if (distance(Home(word & kTagMask, table.capacity), i) < distance(hole, i)) continue;
    table.words[hole] = word;
    hole = i;
  }
  table.words[hole] = 0;
  --table.count;
}

void Index::Replace(uint64_t hash, Entry* from, Entry* to) {
  Table& table = TableOf(hash);
  table.words[PlaceOf(table, hash, from)] = Encode(to, hash);
}

void Index::Fit() {
  for (Table& table : tables_) {
    uint32_t capacity = table.count == 0 ? 0 : NextCapacity(table.count);
    if (capacity < table.capacity / 2 || (capacity == 0 && table.words)) Rehash(table, capacity);
  }
}

size_t Index::GrowthBytes() const {
  uint32_t largest = 0;
  for (const Table& table : tables_) largest = std::max(largest, table.capacity);
  return commitment_.RoundUp(NextCapacity(largest) * kWord);
}

}  // namespace spillway
