// A graph loaded from its bytes, and its runs.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "core/status.h"
#include "infer/allocator.h"
#include "infer/device_pass.h"
#include "infer/ort_api.h"
#include "infer/session_options.h"
#include "memory/trim.h"

namespace spillway {

// An input or output of the graph. A free dimension is -1, with its name (or "") in `symbols`.
struct ValueInfo {
  std::string name;
  ort::ElementType type;  // kUndefined where the value is not a tensor
  std::vector<int64_t> dims;
  std::vector<std::string> symbols;
};

// The caller keeps `data` alive and unchanged until the run has ended.
struct InputTensor {
  std::string name;
  ort::ElementType type;
  std::vector<int64_t> dims;
  void* data;
  size_t bytes;
  std::vector<std::string> strings;  // instead of `data` where `type` is kString
};

struct OutputTensor {
  ort::ElementType type;
  std::vector<int64_t> dims;
  size_t elements;
  ort::OwnedValue value;
  void* data;                   // inside `value`; null for strings
  std::string text;             // all strings, one after another
  std::vector<size_t> offsets;  // where each string begins in `text`
};

class InferSession {
 public:
  // ERR_MODEL_REJECTED with the reason where the graph cannot be loaded, ERR_DEVICE_UNAVAILABLE where the
  // device is to blame, ERR_OUT_OF_MEMORY where the ledger refused, ERR_ABORTED once `cancelled` has taken
  // effect. `shared`, where not null, must outlive the session. A `device_error` says of what was loaded all
  // the same that it cannot run.
  static Status Load(const void* model, size_t bytes, const LoadPlan& plan, const SharedWeights* shared,
                     const std::atomic<bool>& cancelled, std::unique_ptr<InferSession>* session,
                     std::string* device_error);

  ~InferSession();

  // Enters its device, to be freed there without a wait; false where another session is at work on it.
  bool Claim();

  const std::vector<ValueInfo>& inputs() const { return inputs_; }
  const std::vector<ValueInfo>& outputs() const { return outputs_; }
  int64_t bytes() const { return memory_->bytes.load(std::memory_order_relaxed); }
  // Tells after the session is gone whether it gave everything back.
  std::shared_ptr<const SessionMemory> memory() const { return memory_; }

  // Runs may overlap. `options` is the caller's, who may set terminate on it from another thread.
  Status Run(std::vector<InputTensor>& inputs, const std::vector<std::string>& output_names,
             ort::RunOptions* options, const std::atomic<bool>& cancelled,
             std::vector<OutputTensor>* outputs);

  // Once no run is in flight, ends the profile and returns the path of its file. Once only.
  Status EndProfile(std::string* path);

 private:
  explicit InferSession(std::string device) : device_(std::move(device)) {}
  Status Describe();

  // Before the session, which refers to it from its threads and blocks until it is released.
  std::shared_ptr<SessionMemory> memory_ = std::make_shared<SessionMemory>();
  HeapEnd heap_end_;  // of the thread that loads
  const std::string device_;
  DevicePass leaving_;  // held while the session is freed
  ort::OwnedSession session_;
  // Held by runs, and alone by the end of a profile: ONNX Runtime reads and clears its flag without a lock.
  // All come by the gate, or runs that overlap without a pause would keep the end waiting.
  std::mutex gate_;
  std::shared_mutex profiling_;
  bool profiled_ = false;
  std::vector<ValueInfo> inputs_, outputs_;
};

// Gives back what loading or freeing a session has touched, and running does not need: pages of the library,
// and soon free pages of the heap.
void TidyAfterSession();

}  // namespace spillway
