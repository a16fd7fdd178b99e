// The one ledger of bytes of this process.
//
// An account belongs to a parent; a charge is taken from the account and every ancestor, and is refused as a
// whole if any of them would pass its limit. Charging takes no lock: each level is raised by compare-exchange
// and never passes its limit, and a charge that cannot fit is refused before it touches any level. Only where
// two charges race for the last bytes of different levels may one be refused because of the other.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace spillway {

using AccountId = int32_t;
inline constexpr AccountId kHostAccount = 0;
inline constexpr int64_t kUnlimited = INT64_MAX;

enum class ChargeKind {
  kExact,      // memory we allocate: charged before the allocation, credited at the actual free
  kEstimated,  // memory we cannot measure (decoders, SQLite)
  kStorage,    // exact too, for what is kept only in case it is useful (caches): refused at a ceiling of its
               // own
};

class Ledger {
 public:
  struct Figures {
    std::string name;
    int64_t bytes, reserved, peak;
  };

  static Ledger& Global();

  Ledger();

  // Finds or opens an account. Returns -1 when kMaxAccounts exist already.
  AccountId Account(std::string_view name, AccountId parent = kHostAccount);
  bool IsOpen(AccountId id) const { return id >= 0 && id < count_.load(std::memory_order_acquire); }

  void SetLimit(AccountId id, int64_t bytes) { entries_[id].limit.store(bytes); }
  int64_t Limit(AccountId id) const { return entries_[id].limit.load(); }

  // What the host may hold, whoever holds it, when storage is charged: storage yields to execution.
  void SetStorageCeiling(int64_t bytes) { storage_ceiling_.store(bytes, std::memory_order_relaxed); }
  int64_t StorageCeiling() const { return storage_ceiling_.load(std::memory_order_relaxed); }

  // False, and nothing charged, where a limit on the way to the host would be passed.
  bool Charge(AccountId id, int64_t bytes, ChargeKind kind = ChargeKind::kExact);
  // Charges whatever the limits say: for memory that exists already.
  void Overdraw(AccountId id, int64_t bytes, ChargeKind kind = ChargeKind::kExact);
  void Credit(AccountId id, int64_t bytes, ChargeKind kind = ChargeKind::kExact);

  // Bytes and reservations, descendants included.
  int64_t Held(AccountId id) const { return entries_[id].held.load(std::memory_order_relaxed); }
  // Estimates of all accounts.
  int64_t Estimated() const { return estimated_.load(std::memory_order_relaxed); }
  std::vector<Figures> Snapshot() const;

 private:
  static constexpr int kMaxAccounts = 1024;

  struct Entry {
    std::string name;
    AccountId parent = -1;
    std::atomic<int64_t> limit{kUnlimited};
    std::atomic<int64_t> held{0};  // this account and its descendants
    std::atomic<int64_t> bytes{0};
    std::atomic<int64_t> reserved{0};
    std::atomic<int64_t> peak{0};
  };

  // What may stand in `held` of an account after a charge of that kind.
  int64_t Ceiling(AccountId id, ChargeKind kind) const;
  bool Fits(AccountId id, int64_t bytes, ChargeKind kind) const;
  void Book(Entry& entry, int64_t bytes, ChargeKind kind);

  std::array<Entry, kMaxAccounts> entries_;
  std::atomic<int64_t> storage_ceiling_{kUnlimited};
  std::atomic<int64_t> estimated_{0};
  std::atomic<int32_t> count_{0};
  std::mutex open_mutex_;
};

}  // namespace spillway
