// What can give memory back at once, without asking JavaScript.
#pragma once

#include <cstdint>
#include <span>

namespace spillway {

class Reclaimable {
 public:
  // As events name it: "caches".
  virtual const char* name() const = 0;
  // Gives about `bytes` back to the system and credits the ledger; returns how many were. Called on the
  // governor's thread and on any that needs room, several at a time: bounded, and never waits for JavaScript.
  virtual int64_t Reclaim(int64_t bytes) = 0;

 protected:
  ~Reclaimable() = default;
};

// For good: what is added is never destroyed. At most kMaxReclaimables parts add one each.
void AddReclaimable(Reclaimable* reclaimable);
inline constexpr int kMaxReclaimables = 16;

// All there are, in the order in which they are asked.
std::span<Reclaimable* const> Reclaimables();

}  // namespace spillway
