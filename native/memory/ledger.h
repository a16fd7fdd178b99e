// The one ledger of bytes of this process.
//
// An account belongs to a parent; a charge is taken from the account and every ancestor, and is refused as a
// whole if any of them would pass its limit. Charging takes no lock: each level is one atomic addition that
// is taken back when it went too far, so two charges that race for the last bytes may both be refused, but
// the limit is never passed.
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

  // False, and nothing charged, where a limit on the way to the host would be passed.
  bool Charge(AccountId id, int64_t bytes, ChargeKind kind = ChargeKind::kExact);
  // Charges whatever the limits say: for memory that exists already.
  void Overdraw(AccountId id, int64_t bytes, ChargeKind kind = ChargeKind::kExact);
  void Credit(AccountId id, int64_t bytes, ChargeKind kind = ChargeKind::kExact);

  // Bytes and reservations, descendants included.
  int64_t Held(AccountId id) const { return entries_[id].held.load(std::memory_order_relaxed); }
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

  void Book(Entry& entry, int64_t bytes, ChargeKind kind);

  std::array<Entry, kMaxAccounts> entries_;
  std::atomic<int32_t> count_{0};
  std::mutex open_mutex_;
};

}  // namespace spillway
