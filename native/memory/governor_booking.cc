#include "memory/governor_booking.h"

#include <algorithm>

namespace spillway {
namespace {

constexpr double kStorageShare = 0.7;          // of the root limit: where ELEVATED begins
constexpr double kGrowthPerSecond = 1.0 / 32;  // of the root limit, while it is calm

AccountId Unmanaged() {
  static const AccountId account = Ledger::Global().Account("unmanaged");
  return account;
}

// Used, but in no account.
int64_t Beyond(int64_t budget, int64_t headroom) {
  const Ledger& ledger = Ledger::Global();
  const int64_t accounted = ledger.Held(kHostAccount) - ledger.Held(Unmanaged());
  return std::max<int64_t>(0, budget - headroom - accounted);
}

}  // namespace

void GovernorBooking::Begin(int64_t budget, int64_t headroom) {
  withheld_ = 0;
  base_ = floor_ = Beyond(budget, headroom);
  Book(budget, headroom);
}

void GovernorBooking::Book(int64_t budget, int64_t headroom) {
  Ledger& ledger = Ledger::Global();
  const int64_t beyond = Beyond(budget, headroom);
  // Estimates err on the high side, so what lies beyond the accounts is only known while none is outstanding.
  if (ledger.Estimated() == 0) floor_ = std::max(base_, beyond);
  const int64_t change = std::max(floor_, beyond) - unmanaged();
  if (change > 0) ledger.Overdraw(Unmanaged(), change);
  if (change < 0) ledger.Credit(Unmanaged(), -change);
  budget_ = budget;
  ledger.SetLimit(kHostAccount, budget);
  Withhold(withheld_);
}

void GovernorBooking::End() {
  Ledger& ledger = Ledger::Global();
  ledger.Credit(Unmanaged(), unmanaged());
  ledger.SetLimit(kHostAccount, kUnlimited);
  ledger.SetStorageCeiling(kUnlimited);
}

int64_t GovernorBooking::unmanaged() const { return Ledger::Global().Held(Unmanaged()); }

int64_t GovernorBooking::MostForStorage() const {
  return static_cast<int64_t>(kStorageShare * static_cast<double>(budget_));
}

void GovernorBooking::SetCeiling(int64_t bytes) {
  const int64_t ceiling = std::clamp<int64_t>(bytes, 0, MostForStorage());
  withheld_ = MostForStorage() - ceiling;
  Ledger::Global().SetStorageCeiling(ceiling);
}

void GovernorBooking::HoldStorage(int64_t bytes) {
  const int64_t held = Ledger::Global().Held(kHostAccount) - bytes;
  SetCeiling(std::min(held, MostForStorage() - withheld_));
}

void GovernorBooking::LetStorageGrow(double calm_seconds) {
  const double growth = kGrowthPerSecond * calm_seconds * static_cast<double>(budget_);
  SetCeiling(MostForStorage() - withheld_ + static_cast<int64_t>(growth));
}

}  // namespace spillway
