#include "gpu/pool.h"

#include <array>
#include <utility>

#include "core/never_destroyed.h"
#include "cuda/kernels.h"
#include "gpu/staging.h"

namespace spillway {
namespace {

// ONNX Runtime's functions take no device: each device has functions of its own.
template <int kDevice>
struct Trampolines {
  static void* Allocate(size_t bytes) { return DevicePool::Of(kDevice).AllocateExternal(bytes); }
  static void Free(void* address) { DevicePool::Of(kDevice).FreeExternal(address); }
  static void EmptyCache() {
    int64_t bytes;
    DevicePool::Of(kDevice).Trim(&bytes);
  }
};

template <int... kDevices>
constexpr std::array<DeviceAllocator::External, sizeof...(kDevices)> AllTrampolines(
    std::integer_sequence<int, kDevices...>) {
  return {
      {{Trampolines<kDevices>::Allocate, Trampolines<kDevices>::Free, Trampolines<kDevices>::EmptyCache}...}};
}

constexpr auto kTrampolines = AllTrampolines(std::make_integer_sequence<int, DevicePool::kMaxDevices>());

}  // namespace

DevicePool& DevicePool::Of(int device) {
  static std::mutex mutex;
  static DevicePool* pools[kMaxDevices] = {};
  std::lock_guard lock(mutex);
  if (!pools[device]) pools[device] = new DevicePool(device);
  return *pools[device];
}

DevicePool::DevicePool(int device)
    : device_(device), buffers_(ledger_.Account("buffers")), external_(ledger_.Account("ort")) {}

Status DevicePool::Open() {
  std::lock_guard lock(mutex_);
  if (driver_) return Status::Ok();
  const cuda::Driver* driver = nullptr;
  if (Status status = cuda::Driver::Open(&driver); !status.ok()) return status;
  cuda::Device device;
  if (Status status = driver->Check("cuDeviceGet", driver->cuDeviceGet(&device, device_)); !status.ok())
    return status;
  // The context that everybody in this process shares; never given back, and never reset: that would destroy
  // what others have allocated.
  if (Status status =
          driver->Check("cuDevicePrimaryCtxRetain", driver->cuDevicePrimaryCtxRetain(&context_, device));
      !status.ok())
    return status;
  const cuda::Current current(*driver, context_);
  const cuda::PoolProperties properties{1, 0, 1, device, nullptr, 0, {}};
  uint64_t keep = UINT64_MAX;  // until Trim
  Status status = driver->Check("cuMemPoolCreate", driver->cuMemPoolCreate(&pool_, &properties));
  if (status.ok())
    status = driver->Check("cuMemPoolSetAttribute",
                           driver->cuMemPoolSetAttribute(pool_, cuda::kReleaseThreshold, &keep));
  if (status.ok())
    status = driver->Check("cuStreamCreate", driver->cuStreamCreate(&stream_, cuda::kNonBlockingStream));
  if (!status.ok()) return status;
  staging_ = std::make_unique<StagingRing>(*driver, context_);
  driver_ = driver;
  return Status::Ok();
}

Status DevicePool::Take(int64_t bytes, AccountId account, uint64_t* address) {
  if (Status status = Open(); !status.ok()) return status;
  if (!ledger_.Charge(account, bytes))
    return Status::Error("ERR_BUDGET_EXCEEDED",
                         "expected device " + std::to_string(device_) + " to hold at most " +
                             std::to_string(ledger_.Limit(kHostAccount)) + " bytes but " +
                             std::to_string(bytes) + " more than " +
                             std::to_string(ledger_.Held(kHostAccount)) + " were asked for");
  const cuda::Current current(*driver_, context_);
  // Ready when it returns: whoever asked may use the memory on any stream.
  const auto allocate = [&] {
    const cuda::Result result = driver_->cuMemAllocFromPoolAsync(address, bytes, pool_, stream_);
    return result != 0 ? result : driver_->cuStreamSynchronize(stream_);
  };
  cuda::Result result = allocate();
  if (constexpr int kOutOfMemory = 2; result == kOutOfMemory) {
    // What is free in the pool may be in pieces; given back, the driver can make one of them.
    driver_->cuStreamSynchronize(stream_);
    driver_->cuMemPoolTrimTo(pool_, 0);
    result = allocate();
  }
  if (result != 0) {
    ledger_.Credit(account, bytes);
    return driver_->Check("cuMemAllocFromPoolAsync", result);
  }
  std::lock_guard lock(mutex_);
  blocks_.emplace(*address, Block{bytes, account});
  return Status::Ok();
}

// What the driver says of a free is not asked: after the loss of the device it says that, and we hold nothing
// either way.
void DevicePool::Return(uint64_t address) {
  Block block;
  {
    std::lock_guard lock(mutex_);
    auto node = blocks_.extract(address);
    if (node.empty()) return;
    block = node.mapped();
  }
  driver_->cuMemFreeAsync(address, stream_);
  ledger_.Credit(block.account, block.bytes);
}

Status DevicePool::Allocate(int64_t bytes, uint64_t* address) { return Take(bytes, buffers_, address); }

void DevicePool::Free(uint64_t address) {
  const cuda::Current current(*driver_, context_);
  Return(address);
}

void* DevicePool::AllocateExternal(size_t bytes) {
  uint64_t address;
  if (!Take(static_cast<int64_t>(bytes), external_, &address).ok()) return nullptr;
  return reinterpret_cast<void*>(address);
}

void DevicePool::FreeExternal(void* address) {
  if (!address) return;
  const cuda::Current current(*driver_, context_);
  driver_->cuCtxSynchronize();
  Return(reinterpret_cast<uint64_t>(address));
}

Status DevicePool::Trim(int64_t* bytes) {
  *bytes = 0;
  {
    std::lock_guard lock(mutex_);
    if (!driver_) return Status::Ok();
  }
  const cuda::Current current(*driver_, context_);
  staging_->Clear();
  uint64_t before = 0, after = 0;
  Status status = driver_->Check("cuStreamSynchronize", driver_->cuStreamSynchronize(stream_));
  if (!status.ok()) return status;
  driver_->cuMemPoolGetAttribute(pool_, cuda::kReservedBytes, &before);
  status = driver_->Check("cuMemPoolTrimTo", driver_->cuMemPoolTrimTo(pool_, 0));
  driver_->cuMemPoolGetAttribute(pool_, cuda::kReservedBytes, &after);
  if (status.ok()) *bytes = static_cast<int64_t>(before - after);
  return status;
}

DeviceAllocator::External DevicePool::Addresses() const { return kTrampolines[device_]; }

DevicePool::Stats DevicePool::GetStats() {
  Stats stats{};
  stats.accounts = ledger_.Snapshot();
  const Ledger::Figures& whole = stats.accounts[kHostAccount];
  stats.used = whole.bytes;
  stats.peak = whole.peak;
  stats.limit = ledger_.Limit(kHostAccount);
  std::lock_guard lock(mutex_);
  stats.allocations = static_cast<int64_t>(blocks_.size());
  if (!driver_) return stats;
  const cuda::Current current(*driver_, context_);
  uint64_t reserved = 0;
  if (driver_->cuMemPoolGetAttribute(pool_, cuda::kReservedBytes, &reserved) == 0)
    stats.reserved = static_cast<int64_t>(reserved);
  return stats;
}

Status DevicePool::Kernel(const char* name, cuda::Function* function) {
  std::lock_guard lock(mutex_);
  if (Kernels().empty())
    return Status::Error("ERR_NATIVE_UNAVAILABLE", "the addon was built without nvcc and carries no kernels");
  if (!module_) {
    cuda::Module module;
    Status status = driver_->Check("cuModuleLoadData", driver_->cuModuleLoadData(&module, Kernels().data()));
    if (!status.ok()) return status;
    module_ = module;
  }
  return driver_->Check("cuModuleGetFunction", driver_->cuModuleGetFunction(function, module_, name));
}

}  // namespace spillway
