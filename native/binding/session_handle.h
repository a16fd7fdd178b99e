// A loaded graph as JavaScript holds it: src/contract/infer.ts, InferSession.
#pragma once

#include <napi.h>

#include <memory>
#include <unordered_map>

#include "binding/environment.h"
#include "infer/model_table.h"
#include "infer/run_queue.h"

namespace spillway {

class RunTask;

class SessionHandle : public Napi::ObjectWrap<SessionHandle> {
 public:
  static Napi::Function Define(Napi::Env env);

  // Empty until Adopt(): the completion of a load makes the object first.
  explicit SessionHandle(const Napi::CallbackInfo& info) : ObjectWrap(info) {}
  ~SessionHandle() override;

  // Takes the session into the table of loaded graphs; the last of this handle and its runs frees it, on a
  // thread of ours, unless the governor evicts it before.
  void Adopt(std::unique_ptr<GraphSession> session, std::shared_ptr<RunQueue> queue,
             std::shared_ptr<Background> background);
  void Forget(int64_t run_id) { runs_.erase(run_id); }

 private:
  Napi::Value Inputs(const Napi::CallbackInfo& info);
  Napi::Value Outputs(const Napi::CallbackInfo& info);
  Napi::Value Bytes(const Napi::CallbackInfo& info);
  Napi::Value SharedBytes(const Napi::CallbackInfo& info);
  Napi::Value Evicted(const Napi::CallbackInfo& info);
  Napi::Value Released(const Napi::CallbackInfo& info);
  Napi::Value Hold(const Napi::CallbackInfo& info);
  void LetGo(const Napi::CallbackInfo& info);
  Napi::Value Evict(const Napi::CallbackInfo& info);
  Napi::Value Run(const Napi::CallbackInfo& info);
  Napi::Value RunRows(const Napi::CallbackInfo& info);
  void Cancel(const Napi::CallbackInfo& info);
  Napi::Value EndProfile(const Napi::CallbackInfo& info);
  void Release(const Napi::CallbackInfo& info);
  void ReleaseDevice(const Napi::CallbackInfo& info);
  Napi::Value Start(const Napi::CallbackInfo& info, int64_t rows, size_t priority_at);
  std::shared_ptr<InferSession> Require(const Napi::CallbackInfo& info);

  std::shared_ptr<LoadedGraph> graph_;
  std::shared_ptr<RunQueue> queue_;
  std::unordered_map<int64_t, RunTask*> runs_;  // those whose promise is pending
};

}  // namespace spillway
