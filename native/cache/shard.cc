#include "cache/shard.h"

#include "core/hash.h"

namespace spillway {
namespace {

uint64_t HashOf(Entry* entry) { return HashOfKey(entry->kind(), entry->key(), entry->key_bytes); }

}  // namespace

uint64_t HashOfKey(KeyKind kind, const char* data, size_t bytes) {
  return HashBytes(data, bytes, ProcessHashSeed() + static_cast<uint64_t>(kind));
}

LruOrder& Shard::OrderOf(SizeClassId id) {
  uint16_t& place = place_of_class_[id];
  if (place == kUnused) {
    place = static_cast<uint16_t>(orders_.size());
    orders_.push_back({id, {}});
  }
  return orders_[place].order;
}

void Shard::Link(Entry* entry, uint64_t hash, int64_t now) {
  if (Entry* old = index.Find({entry->key(), static_cast<uint32_t>(entry->key_bytes), entry->kind(), hash}))
    Unlink(old, hash);
  index.Insert(hash, entry);
  entry->set_state(SlotState::kLinked);
  OrderOf(entry->size_class).Add(entry, ++uses_);
  if (entry->expiry != Entry::kNever) {
    if (!wheel_) wheel_ = std::make_unique<Wheel>(now);
    wheel_->Add(entry);
  }
  ++counts.entries;
  counts.payload_bytes += entry->value_bytes;
}

void Shard::Unlink(Entry* entry) { Unlink(entry, HashOf(entry)); }

void Shard::Unlink(Entry* entry, uint64_t hash) {
  index.Erase(hash, entry);
  if (entry->expiry != Entry::kNever) wheel_->Remove(entry);
  --counts.entries;
  counts.payload_bytes -= entry->value_bytes;
  if (entry->pins > 0) {
    entry->set_state(SlotState::kHeld);
    return;
  }
  OrderOf(entry->size_class).Remove(entry);
  slabs_.Free(entry);
}

void Shard::Evict(Entry* entry) {
  ++counts.evictions;
  Unlink(entry);
}

bool Shard::Pin(Entry* entry) {
  if (entry->pins == Entry::kMaxPins) return false;
  if (entry->pins == 0) OrderOf(entry->size_class).Remove(entry);
  ++entry->pins;
  ++counts.pins;
  return true;
}

void Shard::Unpin(Entry* entry) {
  --counts.pins;
  if (--entry->pins > 0) return;
  if (entry->state() == SlotState::kLinked)
    OrderOf(entry->size_class).Add(entry, ++uses_);
  else
    slabs_.Free(entry);
}

void Shard::Advance(int64_t now) {
  if (timed() == 0) return;
  wheel_->Advance(now, [this](Entry* entry) {
    ++counts.expirations;
    Unlink(entry);
  });
}

void Shard::Move(Entry* from, Entry* to) {
  const uint16_t slot = to->slot;
  std::memcpy(static_cast<void*>(to), from, Entry::SlotBytes(from->key_bytes, from->value_bytes));
  to->slot = slot;
  index.Replace(HashOf(to), from, to);
  OrderOf(to->size_class).Replace(from, to);
  if (to->expiry != Entry::kNever) wheel_->Replace(from, to);
  slabs_.Free(from);
}

Entry* Shard::ColdestOf(SizeClassId id, uint32_t* age) {
  const LruOrder& order = OrderOf(id);
  *age = order.ColdestAge(uses_);
  return order.Coldest();
}

uint32_t Shard::OldestAge(SizeClassId* id, const std::vector<bool>* excluded) const {
  uint32_t oldest = 0;
  for (const ClassOrder& each : orders_) {
    const uint32_t age = each.order.ColdestAge(uses_);
    if (age <= oldest || (excluded && (*excluded)[each.id])) continue;
    oldest = age;
    *id = each.id;
  }
  return oldest;
}

}  // namespace spillway
