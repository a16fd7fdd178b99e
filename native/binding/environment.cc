#include "binding/environment.h"

#include <algorithm>

#include "core/cpu.h"
#include "infer/model_table.h"

namespace spillway {

Environment& Environment::Open(Napi::Env env) {
  auto* self = new Environment(env);
  env.SetInstanceData(self);  // deletes it after the cleanup hooks have run
  Napi::String name = Napi::String::New(env, "spillway");
  // Before the cleanup hook: hooks run in reverse order, so the function still exists when ours runs.
  napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, self, OnWake,
                                  &self->wake_);
  napi_unref_threadsafe_function(env, self->wake_);
  napi_add_env_cleanup_hook(env, OnCleanup, self);
  return *self;
}

Environment& Environment::Of(napi_env env) { return *Napi::Env(env).GetInstanceData<Environment>(); }

Napi::Value Environment::Start(std::unique_ptr<Task> task) {
  Task* raw = task.get();
  napi_value promise = nullptr;
  if (Adopt(std::move(task), &promise))
    RunOnThread([this, raw] {
      raw->Execute();
      Finish(raw);
    });
  return {env_, promise};
}

Napi::Value Environment::Await(std::unique_ptr<Task> task) {
  Task* raw = task.get();
  napi_value promise = nullptr;
  if (Adopt(std::move(task), &promise)) raw->Execute();
  return {env_, promise};
}

// Takes the task into those in flight. False once stopped, and then the promise is rejected; and without a
// promise in a worker that is being terminated, where every call into the environment may fail from one to
// the next.
bool Environment::Adopt(std::unique_ptr<Task> task, napi_value* promise) {
  napi_deferred deferred = nullptr;
  if (napi_create_promise(env_, &deferred, promise) != napi_ok) return false;
  Task* raw = task.get();
  bool refused;
  {
    std::lock_guard lock(mutex_);
    refused = stopped_;
    if (!refused) executing_.push_back(raw);
  }
  if (refused) {
    napi_reject_deferred(env_, deferred, MakeError(Status::Error("ERR_CLOSED", "spillway has been stopped")));
    return false;
  }
  if (pending_.empty()) napi_ref_threadsafe_function(env_, wake_);
  pending_.emplace(raw, Pending{std::move(task), deferred});
  return true;
}

// The environment outlives this call: Stop() waits for `executing_` to empty.
void Environment::Finish(Task* task) {
  std::lock_guard lock(mutex_);
  std::erase(executing_, task);
  if (stopped_) {
    idle_.notify_all();
    return;
  }
  finished_.push_back(task);
  napi_call_threadsafe_function(wake_, nullptr, napi_tsfn_nonblocking);
}

void Environment::Wake() {
  std::lock_guard lock(mutex_);
  if (!stopped_) napi_call_threadsafe_function(wake_, nullptr, napi_tsfn_nonblocking);
}

void Environment::OnWake(napi_env env, napi_value, void* self, void*) {
  if (!env) return;
  static_cast<Environment*>(self)->SettleFinished();
  static_cast<Environment*>(self)->pressure.Deliver();
}

void Environment::SettleFinished() {
  std::vector<Task*> finished;
  {
    std::lock_guard lock(mutex_);
    if (stopped_) return;
    finished.swap(finished_);
  }
  for (Task* task : finished) {
    auto node = pending_.extract(task);
    Pending& done = node.mapped();
    napi_handle_scope scope = nullptr;
    if (napi_open_handle_scope(env_, &scope) != napi_ok) continue;
    napi_value value = done.task->Settle(env_);
    if (!done.task->status.ok())
      napi_reject_deferred(env_, done.deferred, MakeError(done.task->status));
    else if (value)
      napi_resolve_deferred(env_, done.deferred, value);
    napi_close_handle_scope(env_, scope);
  }
  if (pending_.empty()) napi_unref_threadsafe_function(env_, wake_);
}

void Environment::Stop() {
  std::unique_lock lock(mutex_);
  stopped_ = true;
  const std::vector<Task*> executing = executing_;
  lock.unlock();
  pressure.End();
  // Not under the lock, for it may lead to Finish. They live on in `pending_`, which is this thread's.
  for (Task* task : executing) task->Cancel();
  lock.lock();
  idle_.wait(lock, [this] { return executing_.empty(); });
  lock.unlock();
  pending_.clear();
  ModelTable::Global().Retire(background.get());
  background->Close();
  ModelTable::Global().FreeOnDevices(background.get());
}

void Environment::OnCleanup(void* data) {
  auto* self = static_cast<Environment*>(data);
  self->Stop();
  self->leases.EndAll();
  napi_release_threadsafe_function(self->wake_, napi_tsfn_abort);
}

napi_value Environment::MakeError(const Status& status) {
  napi_value code = nullptr, message = nullptr, error = nullptr;
  napi_create_string_utf8(env_, status.code.data(), status.code.size(), &code);
  napi_create_string_utf8(env_, status.message.data(), status.message.size(), &message);
  napi_value arguments[] = {code, message};
  if (error_class_.IsEmpty() ||
      napi_new_instance(env_, error_class_.Value(), 2, arguments, &error) != napi_ok)
    napi_create_error(env_, code, message, &error);
  return error;
}

void Environment::Throw(const Status& status) { throw Napi::Error(env_, MakeError(status)); }

}  // namespace spillway
