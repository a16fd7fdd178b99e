// The memory of one GPU as we use it: a stream-ordered pool of the driver, its ledger, and what works on that
// memory.
#pragma once

#include <memory>
#include <mutex>
#include <unordered_map>

#include "gpu/compute.h"
#include "memory/device_allocator.h"
#include "memory/ledger.h"

namespace spillway {

class StagingRing;

// Process-global, one per device, never destroyed. Nothing is asked of the driver before the first
// allocation.
class DevicePool : public DeviceAllocator {
 public:
  static constexpr int kMaxDevices = 64;

  struct Stats {
    int64_t used, peak, limit;  // of the ledger: allocations alive
    int64_t reserved;           // of the driver: what the pool holds of the device, free blocks included
    int64_t allocations;        // alive
    std::vector<Ledger::Figures> accounts;
  };

  // `device` is CUDA's ordinal, 0 to kMaxDevices - 1.
  static DevicePool& Of(int device);

  explicit DevicePool(int device);

  Status Allocate(int64_t bytes, uint64_t* address) override;
  void Free(uint64_t address) override;
  Status Trim(int64_t* bytes) override;
  External Addresses() const override;

  // For what is not ours to order: waits for all work of the device before the memory may be used again.
  void* AllocateExternal(size_t bytes);
  void FreeExternal(void* address);

  void SetLimit(int64_t bytes) { ledger_.SetLimit(kHostAccount, bytes); }
  Stats GetStats();

  // Opens the device where that has not happened; the first call can take a second.
  Status Open();
  // After Open.
  const cuda::Driver& driver() const { return *driver_; }
  cuda::Context context() const { return context_; }
  cuda::Stream stream() const { return stream_; }
  int device() const { return device_; }
  StagingRing& staging() { return *staging_; }
  // A kernel of the addon by its name. ERR_NATIVE_UNAVAILABLE where the addon was built without nvcc.
  Status Kernel(const char* name, cuda::Function* function);

 private:
  struct Block {
    int64_t bytes;
    AccountId account;
  };

  Status Take(int64_t bytes, AccountId account, uint64_t* address);
  void Return(uint64_t address);

  const int device_;
  Ledger ledger_;  // of this device; its account 0 is the whole
  const AccountId buffers_, external_;

  std::mutex mutex_;                      // guards what follows
  const cuda::Driver* driver_ = nullptr;  // set once open, as are the next three
  cuda::Context context_ = nullptr;
  cuda::Pool pool_ = nullptr;
  cuda::Stream stream_ = nullptr;
  cuda::Module module_ = nullptr;
  std::unordered_map<uint64_t, Block> blocks_;
  std::unique_ptr<StagingRing> staging_;
};

}  // namespace spillway
