#include "memory/ledger.h"

#include <algorithm>

#include "core/never_destroyed.h"

namespace spillway {
namespace {

void RaiseTo(std::atomic<int64_t>& peak, int64_t value) {
  int64_t seen = peak.load(std::memory_order_relaxed);
  while (value > seen && !peak.compare_exchange_weak(seen, value, std::memory_order_relaxed)) {
  }
}

// Never above the limit, not even for a moment: another charge may be counted meanwhile.
bool RaiseWithin(std::atomic<int64_t>& held, int64_t bytes, int64_t limit) {
  int64_t seen = held.load(std::memory_order_relaxed);
  do
    if (seen + bytes > limit) return false;
  while (!held.compare_exchange_weak(seen, seen + bytes, std::memory_order_relaxed));
  return true;
}

}  // namespace

Ledger& Ledger::Global() {
  static NeverDestroyed<Ledger> ledger;
  return *ledger;
}

Ledger::Ledger() { Account("host", -1); }

AccountId Ledger::Account(std::string_view name, AccountId parent) {
  std::lock_guard lock(open_mutex_);
  int32_t count = count_.load(std::memory_order_relaxed);
  for (AccountId id = 0; id < count; ++id)
    if (entries_[id].parent == parent && entries_[id].name == name) return id;
  if (count == kMaxAccounts) return -1;
  entries_[count].name = name;
  entries_[count].parent = parent;
  count_.store(count + 1, std::memory_order_release);
  return count;
}

int64_t Ledger::Ceiling(AccountId id, ChargeKind kind) const {
  const int64_t limit = entries_[id].limit.load(std::memory_order_relaxed);
  return kind == ChargeKind::kStorage && id == kHostAccount ? std::min(limit, StorageCeiling()) : limit;
}

bool Ledger::Fits(AccountId id, int64_t bytes, ChargeKind kind) const {
  for (AccountId at = id; at >= 0; at = entries_[at].parent)
    if (entries_[at].held.load(std::memory_order_relaxed) + bytes > Ceiling(at, kind)) return false;
  return true;
}

bool Ledger::Charge(AccountId id, int64_t bytes, ChargeKind kind) {
  if (!Fits(id, bytes, kind)) return false;
  for (AccountId at = id; at >= 0; at = entries_[at].parent) {
    if (RaiseWithin(entries_[at].held, bytes, Ceiling(at, kind))) continue;
    // Somebody took the last bytes since they were counted.
    for (AccountId back = id; back != at; back = entries_[back].parent)
      entries_[back].held.fetch_sub(bytes, std::memory_order_relaxed);
    return false;
  }
  Book(entries_[id], bytes, kind);
  return true;
}

void Ledger::Overdraw(AccountId id, int64_t bytes, ChargeKind kind) {
  for (AccountId at = id; at >= 0; at = entries_[at].parent)
    entries_[at].held.fetch_add(bytes, std::memory_order_relaxed);
  Book(entries_[id], bytes, kind);
}

void Ledger::Credit(AccountId id, int64_t bytes, ChargeKind kind) {
  for (AccountId at = id; at >= 0; at = entries_[at].parent)
    entries_[at].held.fetch_sub(bytes, std::memory_order_relaxed);
  Book(entries_[id], -bytes, kind);
}

// Raised for the host too, whose own figures would otherwise never show the peak of the sum.
void Ledger::Book(Entry& entry, int64_t bytes, ChargeKind kind) {
  auto& column = kind == ChargeKind::kEstimated ? entry.reserved : entry.bytes;
  column.fetch_add(bytes, std::memory_order_relaxed);
  if (kind == ChargeKind::kEstimated) estimated_.fetch_add(bytes, std::memory_order_relaxed);
  RaiseTo(entry.peak,
          entry.bytes.load(std::memory_order_relaxed) + entry.reserved.load(std::memory_order_relaxed));
  Entry& host = entries_[kHostAccount];
  RaiseTo(host.peak, host.held.load(std::memory_order_relaxed));
}

std::vector<Ledger::Figures> Ledger::Snapshot() const {
  std::vector<Figures> rows;
  int32_t count = count_.load(std::memory_order_acquire);
  int64_t bytes = 0, reserved = 0;
  for (AccountId id = 0; id < count; ++id) {
    const Entry& entry = entries_[id];
    rows.push_back({entry.name, entry.bytes.load(), entry.reserved.load(), entry.peak.load()});
    bytes += rows.back().bytes;
    reserved += rows.back().reserved;
  }
  rows[kHostAccount].bytes = bytes;
  rows[kHostAccount].reserved = reserved;
  return rows;
}

}  // namespace spillway
