// Longer than most: the tasks of a session are made, kept and cancelled by its handle, and nobody else knows
// them.
#include "binding/session_handle.h"

#include <optional>

#include "binding/arguments.h"
#include "binding/tensors.h"
#include "core/clock.h"
#include "infer/library.h"

namespace spillway {

// Made and destroyed on the JavaScript thread; cancelled from it, executed on another.
class RunTask : public Task {
 public:
  // `pins` holds the handle and the elements of the feeds, so that they outlive the run. With `rows` the
  // outputs are given row by row.
  RunTask(Environment& environment, SessionHandle* handle, int64_t run_id,
          std::shared_ptr<InferSession> session, std::shared_ptr<RunQueue> queue, double priority,
          ort::OwnedRunOptions options, std::vector<InputTensor> inputs,
          std::vector<std::string> output_names, int64_t rows, const Napi::Array& pins)
      : environment_(environment),
        handle_(handle),
        run_id_(run_id),
        pins_(Napi::Persistent(static_cast<Napi::Object>(pins))),
        session_(std::move(session)),
        queue_(std::move(queue)),
        priority_(priority),
        options_(std::move(options)),
        inputs_(std::move(inputs)),
        output_names_(std::move(output_names)),
        rows_(rows) {}

  ~RunTask() override { handle_->Forget(run_id_); }

  void Execute() override {
    queue_->Push(this, priority_, [this] {
      Run();
      environment_.Finish(this);
    });
  }

  void Cancel() override {
    cancelled_ = true;
    CheckOrt(ort::RunOptionsSetTerminate(options_.get()));
    if (!queue_->Remove(this)) return;
    status = Cancelled();
    environment_.Finish(this);
  }

  napi_value Settle(napi_env env) override {
    napi_value outputs = status.ok() ? MakeOutputs(env, outputs_, rows_) : nullptr, ms = nullptr;
    const bool told = outputs && napi_create_double(env, ms_, &ms) == napi_ok &&
                      napi_set_named_property(env, outputs, "ms", ms) == napi_ok;
    return told ? outputs : nullptr;
  }

 private:
  static Status Cancelled() { return Status::Error("ERR_ABORTED", "the run was cancelled"); }

  void Run() {
    if (cancelled_) {
      status = Cancelled();
      return;
    }
    try {
      const double begun = Milliseconds();
      status = session_->Run(inputs_, output_names_, options_.get(), cancelled_, &outputs_);
      ms_ = Milliseconds() - begun;
      for (size_t i = 0; status.ok() && i < outputs_.size(); ++i)
        status = CheckOutput(output_names_[i], outputs_[i], rows_);
    } catch (const std::exception& error) {
      status = Status::Error("ERR_ENGINE", error.what());
    }
  }

  Environment& environment_;
  SessionHandle* const handle_;
  const int64_t run_id_;
  Napi::ObjectReference pins_;
  const std::shared_ptr<InferSession> session_;  // before the outputs, whose blocks it allocated
  const std::shared_ptr<RunQueue> queue_;
  const double priority_;
  const ort::OwnedRunOptions options_;
  std::vector<InputTensor> inputs_;
  const std::vector<std::string> output_names_;
  const int64_t rows_;  // 0: the outputs whole
  std::vector<OutputTensor> outputs_;
  double ms_ = 0;
  std::atomic<bool> cancelled_{false};
};

class EndProfileTask : public Task {
 public:
  explicit EndProfileTask(std::shared_ptr<InferSession> session) : session_(std::move(session)) {}

  void Execute() override { status = session_->EndProfile(&path_); }

  napi_value Settle(napi_env env) override {
    napi_value path = nullptr;
    return napi_create_string_utf8(env, path_.data(), path_.size(), &path) == napi_ok ? path : nullptr;
  }

 private:
  const std::shared_ptr<InferSession> session_;
  std::string path_;
};

// `{ bytes, residentBytes }` or undefined, by raw calls: nullptr where the environment refuses.
static napi_value MakeEvicted(napi_env env, const std::optional<EvictedBytes>& evicted) {
  napi_value result = nullptr, charged = nullptr, resident = nullptr;
  if (!evicted) return napi_get_undefined(env, &result) == napi_ok ? result : nullptr;
  const bool made = napi_create_object(env, &result) == napi_ok &&
                    napi_create_double(env, static_cast<double>(evicted->charged), &charged) == napi_ok &&
                    napi_create_double(env, static_cast<double>(evicted->resident), &resident) == napi_ok &&
                    napi_set_named_property(env, result, "bytes", charged) == napi_ok &&
                    napi_set_named_property(env, result, "residentBytes", resident) == napi_ok;
  return made ? result : nullptr;
}

class EvictTask : public Task {
 public:
  explicit EvictTask(std::shared_ptr<LoadedGraph> graph) : graph_(std::move(graph)) {}

  void Execute() override { evicted_ = graph_->Evict(); }
  napi_value Settle(napi_env env) override { return MakeEvicted(env, evicted_); }

 private:
  const std::shared_ptr<LoadedGraph> graph_;
  std::optional<EvictedBytes> evicted_;
};

Napi::Function SessionHandle::Define(Napi::Env env) {
  return DefineClass(
      env, "InferSession",
      {InstanceAccessor<&SessionHandle::Inputs>("inputs"),
       InstanceAccessor<&SessionHandle::Outputs>("outputs"), InstanceMethod<&SessionHandle::Bytes>("bytes"),
       InstanceMethod<&SessionHandle::SharedBytes>("sharedBytes"),
       InstanceAccessor<&SessionHandle::Evicted>("evicted"),
       InstanceAccessor<&SessionHandle::Released>("released"), InstanceMethod<&SessionHandle::Hold>("hold"),
       InstanceMethod<&SessionHandle::LetGo>("letGo"), InstanceMethod<&SessionHandle::Evict>("evict"),
       InstanceMethod<&SessionHandle::Run>("run"), InstanceMethod<&SessionHandle::RunRows>("runRows"),
       InstanceMethod<&SessionHandle::Cancel>("cancel"),
       InstanceMethod<&SessionHandle::EndProfile>("endProfile"),
       InstanceMethod<&SessionHandle::Release>("release"),
       InstanceMethod<&SessionHandle::ReleaseDevice>("releaseDevice")});
}

SessionHandle::~SessionHandle() {
  if (graph_) graph_->Release();
}

void SessionHandle::Adopt(std::unique_ptr<GraphSession> session, std::shared_ptr<RunQueue> queue,
                          std::shared_ptr<Background> background) {
  queue_ = std::move(queue);
  const void* owner = background.get();
  graph_ = ModelTable::Global().Add(
      std::move(session), owner, [background = std::move(background)](std::unique_ptr<GraphSession> last) {
        // std::function wants to be able to copy what it holds.
        background->Run([last = std::make_shared<decltype(last)>(std::move(last))] {
          last->reset();
          TidyAfterSession();
        });
      });
}

std::shared_ptr<InferSession> SessionHandle::Require(const Napi::CallbackInfo& info) {
  std::shared_ptr<InferSession> session = graph_ ? graph_->Use() : nullptr;
  if (!session)
    Environment::Of(info.Env()).Throw(Status::Error("ERR_CLOSED", "the session has been released"));
  return session;
}

Napi::Value SessionHandle::Inputs(const Napi::CallbackInfo& info) {
  return DescribeValues(info.Env(), Require(info)->inputs());
}

Napi::Value SessionHandle::Outputs(const Napi::CallbackInfo& info) {
  return DescribeValues(info.Env(), Require(info)->outputs());
}

Napi::Value SessionHandle::Bytes(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), graph_ ? static_cast<double>(graph_->bytes()) : 0);
}

Napi::Value SessionHandle::SharedBytes(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), graph_ ? static_cast<double>(graph_->shared_bytes()) : 0);
}

Napi::Value SessionHandle::Evicted(const Napi::CallbackInfo& info) {
  return {info.Env(), MakeEvicted(info.Env(), graph_ ? graph_->evicted() : std::nullopt)};
}

Napi::Value SessionHandle::Released(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), graph_ && graph_->released());
}

Napi::Value SessionHandle::Hold(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), graph_ && graph_->Hold());
}

void SessionHandle::LetGo(const Napi::CallbackInfo&) {
  if (graph_) graph_->LetGo();
}

Napi::Value SessionHandle::Evict(const Napi::CallbackInfo& info) {
  RequireShape(info, graph_ != nullptr, "a session that has been loaded");
  return Environment::Of(info.Env()).Start(std::make_unique<EvictTask>(graph_));
}

Napi::Value SessionHandle::Run(const Napi::CallbackInfo& info) { return Start(info, 0, 3); }

Napi::Value SessionHandle::RunRows(const Napi::CallbackInfo& info) {
  const int64_t rows = Int64Argument(info, 3, "a number of rows");
  RequireShape(info, rows > 0, "at least one row");
  return Start(info, rows, 4);
}

Napi::Value SessionHandle::Start(const Napi::CallbackInfo& info, int64_t rows, size_t priority_at) {
  std::shared_ptr<InferSession> session = Require(info);
  int64_t run_id = Int64Argument(info, 0, "a number that names the run");
  RequireShape(info, !runs_.contains(run_id), "a number that names no other run in flight");
  RequireShape(info, info.Length() >= 3 && info[1].IsArray() && info[2].IsArray(),
               "feeds and names of outputs");
  std::vector<std::string> names;
  auto wanted = info[2].As<Napi::Array>();
  for (uint32_t i = 0; i < wanted.Length(); ++i) {
    Napi::Value name = wanted[i];
    RequireShape(info, name.IsString(), "names of outputs");
    names.push_back(name.As<Napi::String>().Utf8Value());
  }
  const double priority = FiniteArgument(info, priority_at, 0, "a finite number as the priority");
  auto pins = Napi::Array::New(info.Env());
  pins[0u] = info.This();
  std::vector<InputTensor> inputs = ReadInputs(info, info[1].As<Napi::Array>(), pins);
  ort::RunOptions* options = nullptr;
  Environment& environment = Environment::Of(info.Env());
  if (Status status = CheckOrt(ort::CreateRunOptions(&options)); !status.ok()) environment.Throw(status);
  auto task = std::make_unique<RunTask>(environment, this, run_id, std::move(session), queue_, priority,
                                        ort::OwnedRunOptions(options), std::move(inputs), std::move(names),
                                        rows, pins);
  runs_[run_id] = task.get();
  return environment.Await(std::move(task));
}

void SessionHandle::Cancel(const Napi::CallbackInfo& info) {
  auto run = runs_.find(Int64Argument(info, 0, "the number of a run"));
  if (run != runs_.end()) run->second->Cancel();
}

Napi::Value SessionHandle::EndProfile(const Napi::CallbackInfo& info) {
  return Environment::Of(info.Env()).Start(std::make_unique<EndProfileTask>(Require(info)));
}

void SessionHandle::Release(const Napi::CallbackInfo&) {
  if (graph_) graph_->Release();
}

void SessionHandle::ReleaseDevice(const Napi::CallbackInfo&) {
  if (graph_) ModelTable::Global().ReleaseDevice(graph_->device());
}

}  // namespace spillway
