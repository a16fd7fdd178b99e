// The allocator ONNX Runtime gets from us: every byte is charged to the ledger before it exists.
//
// It belongs to the process, so a block's header says which account and which session it counts for. Whose
// memory a request is, is known by the thread: one inside our create or run carries an AllocationScope; one
// of a session's own pool carries that session. Only the former may be refused, by std::bad_alloc, which ONNX
// Runtime turns into a status without a leak (returning null is a crash). A pool's thread must not throw: its
// request is overdrawn, and the session's runs are told to end.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "core/status.h"
#include "infer/ort_api.h"
#include "memory/ledger.h"

namespace spillway {

// What the blocks and threads of one session share; lives until the last block is freed.
class SessionMemory {
 public:
  // Bytes the session holds now, headers included.
  std::atomic<int64_t> bytes{0};
  // Size of a pool thread's request that the ledger refused while runs were in flight, else 0.
  std::atomic<int64_t> overdrawn{0};

  void EnterRun(ort::RunOptions* run);
  void LeaveRun(ort::RunOptions* run);
  void Overdraw(int64_t bytes);

 private:
  std::mutex mutex_;
  std::vector<ort::RunOptions*> runs_;
};

// While it lives, this thread's allocations count for `account` and `memory`, and may be refused.
class AllocationScope {
 public:
  // Once `*cancelled` is true the next allocation is refused: the only way to stop a load early.
  AllocationScope(AccountId account, std::shared_ptr<SessionMemory> memory,
                  const std::atomic<bool>* cancelled);
  ~AllocationScope();
  AllocationScope(const AllocationScope&) = delete;
  AllocationScope& operator=(const AllocationScope&) = delete;

  const AccountId account;
  const std::shared_ptr<SessionMemory> memory;
  const std::atomic<bool>* const cancelled;
  int64_t refused = 0;  // bytes of the request that did not fit

 private:
  AllocationScope* const outer_;
};

// Makes this thread one of a session's pool, for the rest of its life.
void JoinSessionPool(std::shared_ptr<SessionMemory> memory);

// Registered once per environment; sessions use it through session.use_env_allocators.
Status RegisterChargingAllocator(ort::Environment* environment);

// Describes plain host memory, ours or the caller's.
const ort::MemoryInfo* HostMemory();
// The registered allocator, for tensors made outside of a run (strings).
ort::Allocator* ChargingAllocator();

AccountId ModelsAccount();
AccountId InferAccount();

// ERR_OUT_OF_MEMORY: what was wanted, and which limit stood in the way.
Status RefusedStatus(const char* what, AccountId account, int64_t wanted);

}  // namespace spillway
