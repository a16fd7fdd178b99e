#include "infer/allocator.h"

#include <cstdlib>
#include <new>

#include "infer/library.h"

namespace spillway {
namespace {

constexpr size_t kAlignment = 64;  // what ONNX Runtime's own CPU allocator guarantees (AVX-512)

// Stands before each block.
struct alignas(kAlignment) Header {
  std::shared_ptr<SessionMemory> memory;  // null for memory that no session asked for
  int64_t bytes;                          // charged, this header included
  AccountId account;
};
static_assert(sizeof(Header) == kAlignment);

thread_local AllocationScope* current_scope = nullptr;
thread_local std::shared_ptr<SessionMemory>* pool_memory = nullptr;
ort::MemoryInfo* host_memory = nullptr;

AccountId SharedAccount() {
  static const AccountId account = Ledger::Global().Account("ort.shared");
  return account;
}

void* Place(std::shared_ptr<SessionMemory> memory, AccountId account, int64_t bytes) {
  void* raw = std::aligned_alloc(kAlignment, bytes);
  if (!raw) {
    Ledger::Global().Credit(account, bytes);
    return nullptr;
  }
  if (memory) memory->bytes.fetch_add(bytes, std::memory_order_relaxed);
  auto* header = new (raw) Header{std::move(memory), bytes, account};
  return header + 1;
}

void* AllocateInScope(AllocationScope& scope, int64_t bytes) {
  bool cancelled = scope.cancelled->load(std::memory_order_relaxed);
  void* block = nullptr;
  if (!cancelled && Ledger::Global().Charge(scope.account, bytes))
    block = Place(scope.memory, scope.account, bytes);
  if (block) return block;
  if (!cancelled) scope.refused = bytes;
  throw std::bad_alloc();
}

void* AllocateUnscoped(int64_t bytes) {
  AccountId account = pool_memory ? InferAccount() : SharedAccount();
  std::shared_ptr<SessionMemory> memory = pool_memory ? *pool_memory : nullptr;
  if (!Ledger::Global().Charge(account, bytes)) {
    Ledger::Global().Overdraw(account, bytes);
    if (memory) memory->Overdraw(bytes);
  }
  return Place(std::move(memory), account, bytes);
}

void* Allocate(ort::Allocator*, size_t size) {
  constexpr size_t kLargest = SIZE_MAX / 4;  // far above any machine, far below overflow
  if (size > kLargest) throw std::bad_alloc();
  auto bytes = static_cast<int64_t>((size + sizeof(Header) + kAlignment - 1) / kAlignment * kAlignment);
  return current_scope ? AllocateInScope(*current_scope, bytes) : AllocateUnscoped(bytes);
}

void Free(ort::Allocator*, void* block) {
  if (!block) return;
  Header* header = static_cast<Header*>(block) - 1;
  Ledger::Global().Credit(header->account, header->bytes);
  if (header->memory) header->memory->bytes.fetch_sub(header->bytes, std::memory_order_relaxed);
  header->~Header();
  std::free(header);
}

const ort::MemoryInfo* Info(const ort::Allocator*) { return host_memory; }

ort::Allocator charging_allocator = {ort::kVersion, Allocate, Free, Info, Allocate};

}  // namespace

void SessionMemory::EnterRun(ort::RunOptions* run) {
  std::lock_guard lock(mutex_);
  if (runs_.empty()) overdrawn = 0;
  runs_.push_back(run);
}

void SessionMemory::LeaveRun(ort::RunOptions* run) {
  std::lock_guard lock(mutex_);
  std::erase(runs_, run);
}

void SessionMemory::Overdraw(int64_t bytes) {
  std::lock_guard lock(mutex_);
  overdrawn = bytes;
  for (ort::RunOptions* run : runs_) CheckOrt(ort::RunOptionsSetTerminate(run));
}

AllocationScope::AllocationScope(AccountId account, std::shared_ptr<SessionMemory> memory,
                                 const std::atomic<bool>* cancelled)
    : account(account), memory(std::move(memory)), cancelled(cancelled), outer_(current_scope) {
  current_scope = this;
}

AllocationScope::~AllocationScope() { current_scope = outer_; }

void JoinSessionPool(std::shared_ptr<SessionMemory> memory) {
  static thread_local std::shared_ptr<SessionMemory> joined;
  joined = std::move(memory);
  pool_memory = &joined;
}

Status RegisterChargingAllocator(ort::Environment* environment) {
  Status status =
      CheckOrt(ort::CreateCpuMemoryInfo(ort::kDeviceAllocator, ort::kDefaultMemory, &host_memory));
  if (!status.ok()) return status;
  return CheckOrt(ort::RegisterAllocator(environment, &charging_allocator));
}

const ort::MemoryInfo* HostMemory() { return host_memory; }

ort::Allocator* ChargingAllocator() { return &charging_allocator; }

AccountId ModelsAccount() {
  static const AccountId account = Ledger::Global().Account("models");
  return account;
}

AccountId InferAccount() {
  static const AccountId account = Ledger::Global().Account("infer");
  return account;
}

Status RefusedStatus(const char* what, AccountId account, int64_t wanted) {
  const Ledger& ledger = Ledger::Global();
  std::string message = std::string(what) + " wanted " + std::to_string(wanted) + " bytes more";
  for (auto [id, name] : {std::pair{account, "its account"}, std::pair{kHostAccount, "the process"}})
    if (ledger.Limit(id) != kUnlimited)
      message += std::string(", ") + name + " holds " + std::to_string(ledger.Held(id)) + " of at most " +
                 std::to_string(ledger.Limit(id));
  return Status::Error("ERR_OUT_OF_MEMORY", std::move(message));
}

}  // namespace spillway
