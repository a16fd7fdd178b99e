#include "infer/allocator.h"

#include <cstdlib>
#include <new>
#include <utility>

#include "infer/idle_blocks.h"
#include "infer/library.h"

namespace spillway {
namespace {

constexpr size_t kAlignment = 64;  // what ONNX Runtime's own CPU allocator guarantees (AVX-512)

// Stands before each block.
struct alignas(kAlignment) Header {
  std::shared_ptr<SessionMemory> memory;  // null for memory that no session asked for
  int64_t bytes;                          // that were asked for, this header included
  int64_t size;                           // of the block, which is charged
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

// One allocation on its way: what is asked for, and the block that is to serve it.
struct Request {
  AccountId account;
  int64_t bytes;
  int64_t size = bytes;
  void* block = nullptr;

  bool kept() const { return account == InferAccount() && bytes >= kLeastKept; }
};

void TakeIdle(Request& request) {
  if (request.kept()) request.block = IdleBlocks::Global().Take(request.bytes, &request.size);
}

void GiveBack(const Request& request) {
  if (request.kept())
    IdleBlocks::Global().Give(request.block, request.size, request.bytes);
  else
    std::free(request.block);
}

// Idle blocks give way, and so does a block that is larger than what is asked for.
bool Charge(Request& request) {
  Ledger& ledger = Ledger::Global();
  if (ledger.Charge(request.account, request.size)) return true;
  if (request.size > request.bytes) {
    std::free(std::exchange(request.block, nullptr));
    IdleBlocks::Global().Resize(std::exchange(request.size, request.bytes), request.bytes);
    if (ledger.Charge(request.account, request.size)) return true;
  }
  return IdleBlocks::Global().Reclaim(request.size) > 0 && ledger.Charge(request.account, request.size);
}

// The block, which is charged already.
void* Place(Request& request, std::shared_ptr<SessionMemory> memory) {
  if (!request.block) request.block = std::aligned_alloc(kAlignment, request.size);
  if (!request.block) {
    Ledger::Global().Credit(request.account, request.size);
    GiveBack(request);
    return nullptr;
  }
  if (memory) memory->bytes.fetch_add(request.bytes, std::memory_order_relaxed);
  auto* header = new (request.block) Header{std::move(memory), request.bytes, request.size, request.account};
  return header + 1;
}

void* AllocateInScope(AllocationScope& scope, int64_t bytes) {
  if (scope.cancelled->load(std::memory_order_relaxed)) throw std::bad_alloc();
  Request request{scope.account, bytes};
  TakeIdle(request);
  void* block = nullptr;
  if (Charge(request))
    block = Place(request, scope.memory);
  else
    GiveBack(request);
  if (block) return block;
  scope.refused = bytes;
  throw std::bad_alloc();
}

void* AllocateUnscoped(int64_t bytes) {
  Request request{pool_memory ? InferAccount() : SharedAccount(), bytes};
  std::shared_ptr<SessionMemory> memory = pool_memory ? *pool_memory : nullptr;
  TakeIdle(request);
  if (!Charge(request)) {
    Ledger::Global().Overdraw(request.account, request.size);
    if (memory) memory->Overdraw(request.size);
  }
  return Place(request, std::move(memory));
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
  const Request served{header->account, header->bytes, header->size, header};
  Ledger::Global().Credit(served.account, served.size);
  if (header->memory) header->memory->bytes.fetch_sub(served.bytes, std::memory_order_relaxed);
  header->~Header();
  GiveBack(served);
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
