#include "infer/allocator.h"

#include <cstdlib>
#include <new>

#include "infer/idle_blocks.h"
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

// Blocks of runs that are worth keeping: smaller ones come out of the heap without a fault.
constexpr int64_t kLeastKept = 128 << 10;

bool IsKept(AccountId account, int64_t bytes) { return account == InferAccount() && bytes >= kLeastKept; }

void* TakeIdle(AccountId account, int64_t bytes) {
  return IsKept(account, bytes) ? IdleBlocks::Global().Take(bytes) : nullptr;
}

void GiveBack(void* raw, AccountId account, int64_t bytes) {
  if (IsKept(account, bytes))
    IdleBlocks::Global().Give(raw, bytes);
  else
    std::free(raw);
}

// Idle blocks give way.
bool Charge(AccountId account, int64_t bytes) {
  Ledger& ledger = Ledger::Global();
  return ledger.Charge(account, bytes) ||
         (IdleBlocks::Global().Reclaim(bytes) > 0 && ledger.Charge(account, bytes));
}

// The block, which is charged already, in `raw` or in memory of its own.
void* Place(void* raw, std::shared_ptr<SessionMemory> memory, AccountId account, int64_t bytes) {
  if (!raw) raw = std::aligned_alloc(kAlignment, bytes);
  if (!raw) {
    Ledger::Global().Credit(account, bytes);
    GiveBack(nullptr, account, bytes);
    return nullptr;
  }
  if (memory) memory->bytes.fetch_add(bytes, std::memory_order_relaxed);
  auto* header = new (raw) Header{std::move(memory), bytes, account};
  return header + 1;
}

void* AllocateInScope(AllocationScope& scope, int64_t bytes) {
  if (scope.cancelled->load(std::memory_order_relaxed)) throw std::bad_alloc();
  void* raw = TakeIdle(scope.account, bytes);
  void* block = nullptr;
  if (Charge(scope.account, bytes))
    block = Place(raw, scope.memory, scope.account, bytes);
  else
    GiveBack(raw, scope.account, bytes);
  if (block) return block;
  scope.refused = bytes;
  throw std::bad_alloc();
}

void* AllocateUnscoped(int64_t bytes) {
  AccountId account = pool_memory ? InferAccount() : SharedAccount();
  std::shared_ptr<SessionMemory> memory = pool_memory ? *pool_memory : nullptr;
  void* raw = TakeIdle(account, bytes);
  if (!Charge(account, bytes)) {
    Ledger::Global().Overdraw(account, bytes);
    if (memory) memory->Overdraw(bytes);
  }
  return Place(raw, std::move(memory), account, bytes);
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
  const int64_t bytes = header->bytes;
  const AccountId account = header->account;
  Ledger::Global().Credit(account, bytes);
  if (header->memory) header->memory->bytes.fetch_sub(bytes, std::memory_order_relaxed);
  header->~Header();
  GiveBack(header, account, bytes);
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
  status = CheckOrt(ort::RegisterAllocator(environment, &charging_allocator));
  if (status.ok()) AddReclaimable(&IdleBlocks::Global());
  return status;
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
