// One cached value in its slot: this header, the key, padding to 8 bytes, the value.
//
// 48 bytes, and 10 to 13 in the index, are all the metadata an entry has. Addresses take 48 bits, which is
// what user space has on x86-64 and arm64.
#pragma once

#include <cstdint>
#include <cstring>

namespace spillway {

enum class KeyKind : uint8_t {
  kText,   // UTF-8 of a well-formed string
  kUtf16,  // the code units of a string with lone surrogates, which UTF-8 cannot tell apart
  kBytes,
};

struct CacheKey {
  const char* data;
  uint32_t bytes;
  KeyKind kind;
  uint64_t hash;  // of kind and bytes
};

enum class SlotState : uint8_t {
  kFree,
  kHeld,    // taken, but not in the index: being filled, or removed while pinned
  kLinked,  // in the index
};

struct Entry {
  static constexpr uint32_t kMaxPins = (1u << 20) - 1;
  static constexpr int64_t kNever = 0;  // expiry of an entry without one

  uint64_t order_prev : 48, key_bytes : 16;
  uint64_t order_next : 48, slot : 16;  // number of the slot in its slab; a free slot links the next free one
  uint64_t wheel_prev : 48, size_class : 11, state_ : 2, kind_ : 3;
  uint64_t wheel_next : 48, wheel_bucket : 16;
  uint64_t expiry : 44, pins : 20;  // milliseconds of the cache's clock
  uint32_t value_bytes;
  uint32_t stamp;  // the shard's count of uses when this entry was last used

  SlotState state() const { return static_cast<SlotState>(state_); }
  void set_state(SlotState state) { state_ = static_cast<uint8_t>(state); }
  KeyKind kind() const { return static_cast<KeyKind>(kind_); }
  bool ExpiredAt(int64_t now) const { return expiry != kNever && static_cast<int64_t>(expiry) <= now; }
  char* key() { return reinterpret_cast<char*>(this + 1); }
  char* value() { return key() + KeyRoom(key_bytes); }
  bool Matches(const CacheKey& other) {
    return key_bytes == other.bytes && kind() == other.kind &&
           (other.bytes == 0 || std::memcmp(key(), other.data, other.bytes) == 0);
  }

  static size_t KeyRoom(size_t key_bytes) { return (key_bytes + 7) & ~size_t{7}; }
  static size_t SlotBytes(size_t key_bytes, size_t value_bytes) {
    return sizeof(Entry) + KeyRoom(key_bytes) + value_bytes;
  }
};
static_assert(sizeof(Entry) == 48);

inline uint64_t AddressOf(Entry* entry) { return reinterpret_cast<uint64_t>(entry); }
inline Entry* EntryAt(uint64_t address) { return reinterpret_cast<Entry*>(address); }

}  // namespace spillway
