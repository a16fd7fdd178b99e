// The governor's entries in the ledger: the root limit, what is unmanaged, how far storage may go.
#pragma once

#include <cstdint>

#include "memory/ledger.h"

namespace spillway {

// Not thread-safe.
class GovernorBooking {
 public:
  // A plan begins: what is used beyond the accounts now is the least that will be booked as unmanaged.
  void Begin(int64_t budget, int64_t headroom);
  // Makes what the ledger still grants equal to `headroom`; after Begin.
  void Book(int64_t budget, int64_t headroom);
  // Lifts the root limit and takes everything back.
  void End();

  int64_t unmanaged() const;
  int64_t base() const { return base_; }

  // Storage may not grow beyond what is held now less `bytes`, until it is let grow.
  void HoldStorage(int64_t bytes);
  void LetStorageGrow(double calm_seconds);
  // What storage is denied of its share of the budget; for undoing a HoldStorage.
  int64_t withheld() const { return withheld_; }
  void Withhold(int64_t bytes) { SetCeiling(MostForStorage() - bytes); }

 private:
  int64_t MostForStorage() const;
  void SetCeiling(int64_t bytes);

  int64_t budget_ = 0;
  int64_t base_ = 0;
  int64_t floor_ = 0;  // what was beyond the accounts when last nothing was estimated
  int64_t withheld_ = 0;
};

}  // namespace spillway
