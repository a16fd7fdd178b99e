// The leases of one environment on cached values, so that a worker that ends gives back what it held.
#pragma once

#include <memory>
#include <vector>

#include "cache/table.h"

namespace spillway {

// Pins one entry for one ArrayBuffer. Made and ended on the JavaScript thread; deleted by the finalizer of
// its buffer, which may run long after the lease has ended.
struct CacheLease {
  std::shared_ptr<CacheTable> table;  // null once the lease has ended
  CacheTable::Pinned pinned;
  uint32_t id;
};

class LeaseSet {
 public:
  CacheLease* Open(std::shared_ptr<CacheTable> table, CacheTable::Pinned pinned) {
    uint32_t id = static_cast<uint32_t>(leases_.size());
    if (free_.empty()) {
      leases_.push_back(nullptr);
    } else {
      id = free_.back();
      free_.pop_back();
    }
    return leases_[id] = new CacheLease{std::move(table), pinned, id};
  }

  // The lease of that number, or null.
  CacheLease* Find(uint32_t id) const { return id < leases_.size() ? leases_[id] : nullptr; }

  // Harmless when repeated.
  void End(CacheLease* lease) {
    if (!lease->table) return;
    lease->table->Unpin(lease->pinned);
    lease->table.reset();
    leases_[lease->id] = nullptr;
    free_.push_back(lease->id);
  }

  void EndAll() {
    for (CacheLease* lease : leases_)
      if (lease) End(lease);
  }

 private:
  std::vector<CacheLease*> leases_;
  std::vector<uint32_t> free_;
};

}  // namespace spillway
