// Who is evicted first: least recently used.
//
// A shard keeps one such order per size class, because an eviction must free a slot that the newcomer fits.
// The age of the coldest entry makes the orders comparable, so that a class that is used less gives its slabs
// to the others. Another policy is another type with these operations.
#pragma once

#include "cache/entry.h"

namespace spillway {

class LruOrder {
 public:
  bool empty() const { return !tail_; }
  Entry* Coldest() const { return tail_; }
  // In uses of the shard, whose count is `now`; at least 1, and 0 for an empty order.
  uint32_t ColdestAge(uint32_t now) const { return tail_ ? now - tail_stamp_ + 1 : 0; }

  void Add(Entry* entry, uint32_t now) {
    entry->stamp = now;
    entry->order_prev = 0;
    entry->order_next = AddressOf(head_);
    if (head_)
      head_->order_prev = AddressOf(entry);
    else
      SetTail(entry);
    head_ = entry;
  }

  void Use(Entry* entry, uint32_t now) {
    if (entry == head_) {
      entry->stamp = now;
      if (entry == tail_) tail_stamp_ = now;
      return;
    }
    Remove(entry);
    Add(entry, now);
  }

  void Remove(Entry* entry) {
    Entry *prev = EntryAt(entry->order_prev), *next = EntryAt(entry->order_next);
    if (prev)
      prev->order_next = AddressOf(next);
    else
      head_ = next;
    if (next)
      next->order_prev = AddressOf(prev);
    else
      SetTail(prev);
  }

  // `to` is a copy of `from` and takes its place.
  void Replace(Entry* from, Entry* to) {
    Entry *prev = EntryAt(to->order_prev), *next = EntryAt(to->order_next);
    if (prev) prev->order_next = AddressOf(to);
    if (next) next->order_prev = AddressOf(to);
    if (head_ == from) head_ = to;
    if (tail_ == from) tail_ = to;
  }

 private:
  void SetTail(Entry* entry) {
    tail_ = entry;
    if (entry) tail_stamp_ = entry->stamp;
  }

  Entry* head_ = nullptr;
  Entry* tail_ = nullptr;
  uint32_t tail_stamp_ = 0;
};

}  // namespace spillway
