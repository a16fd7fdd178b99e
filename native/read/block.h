// Blocks of memory that files are read into and that JavaScript looks at.
//
// A block that is given back is decommitted and kept for the next reader, never unmapped: a program that
// lends a view to an operation of its own (fs.write, zlib) and gives it back too early then reads zeros,
// where an unmapped block would end the process.
#pragma once

#include <cstddef>
#include <utility>

#include "core/status.h"
#include "memory/ledger.h"

namespace spillway {

class Block {
 public:
  Block() = default;
  Block(Block&& other) noexcept { *this = std::move(other); }
  Block& operator=(Block&& other) noexcept;
  ~Block() { Reset(); }

  // Address space for `capacity` bytes; empty where the system has none left. Nothing is charged yet.
  static Block Take(size_t capacity, AccountId account);

  // Charges the account so that the first `bytes`, at most the capacity, may be written to; in whole pages.
  // False, and nothing changed, where the ledger refuses.
  bool Commit(size_t bytes);
  // The error where Take (an empty block) or Commit was refused `bytes`.
  Status Refusal(size_t bytes) const;
  // Gives the memory back to the system, the charge to the account, the address space to the next.
  void Reset();

  char* data() const { return data_; }
  size_t capacity() const { return class_bytes_; }
  // The capacity that Take gives who asks for `bytes`.
  static size_t CapacityFor(size_t bytes);
  explicit operator bool() const { return data_ != nullptr; }

 private:
  char* data_ = nullptr;
  size_t class_bytes_ = 0;
  size_t committed_ = 0;
  AccountId account_ = kHostAccount;
};

// Where lent blocks go back to. Called on any thread.
class BlockOwner {
 public:
  virtual ~BlockOwner() = default;
  // JavaScript keeps a lent block; the owner may replace it.
  virtual void Retained() = 0;
  // A lent block comes back, `retained` or not.
  virtual void GiveBack(Block block, bool retained) = 0;
};

// Who waits for a reader's next delivery. Called once, on any thread.
class Waiter {
 public:
  virtual void Ready() = 0;

 protected:
  ~Waiter() = default;
};

}  // namespace spillway
