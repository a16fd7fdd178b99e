// What belongs to one JavaScript environment (the main thread or a worker), and how it ends.
//
// A worker can be terminated, and the process can exit, at any instant, also in the middle of a run of ONNX
// Runtime, which then aborts the process. So an environment knows its tasks in flight; its cleanup hook, and
// stop() from process.on('exit'), cancel them and wait until the last has left its native code. Completions
// use raw Node-API calls whose failures are ignored: they only happen while the environment goes away.
#pragma once

#include <napi.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "binding/background.h"
#include "binding/lease_set.h"
#include "binding/pressure_link.h"
#include "binding/task.h"

namespace spillway {

class Environment {
 public:
  // Creates the environment's state; called once per load of the addon.
  static Environment& Open(Napi::Env env);
  static Environment& Of(napi_env env);

  // Starts a task and returns its promise. `signal`-like cancellation is the caller's: it may keep the raw
  // pointer only as long as the promise is pending.
  Napi::Value Start(std::unique_ptr<Task> task);

  // The promise of a task that others complete: Execute, called here and now, only tells them to, and the
  // promise settles once Finish has been called, on any thread; Cancel must soon lead to that.
  Napi::Value Await(std::unique_ptr<Task> task);
  void Finish(Task* task);

  // Has what is waiting for the JavaScript thread handled there, from any thread; nothing happens once
  // stopped.
  void Wake();

  // Refuses new tasks, cancels those in flight and waits for them. Harmless when repeated.
  void Stop();

  // The JavaScript class of our errors, so that what is thrown here is a real instance of it.
  void SetErrorClass(Napi::Function error_class) { error_class_ = Napi::Persistent(error_class); }
  napi_value MakeError(const Status& status);
  [[noreturn]] void Throw(const Status& status);

  // For what must end before the environment does; an object that outlives it may still hold this.
  const std::shared_ptr<Background> background = std::make_shared<Background>();

  // Leases on cached values; ended with the environment at the latest.
  LeaseSet leases;

  // Its events of the governor, and the plan where it made that.
  PressureLink pressure{*this};

  // Per-environment constructors, kept here so that they die with the environment.
  Napi::FunctionReference chunk_reader_class, group_reader_class, scanner_class, session_class;

 private:
  struct Pending {
    std::unique_ptr<Task> task;
    napi_deferred deferred = nullptr;
  };

  explicit Environment(Napi::Env env) : env_(env) {}
  static void OnCleanup(void* self);
  static void OnWake(napi_env env, napi_value, void* self, void*);
  bool Adopt(std::unique_ptr<Task> task, napi_value* promise);
  void SettleFinished();

  napi_env env_;
  Napi::FunctionReference error_class_;
  napi_threadsafe_function wake_ = nullptr;
  std::unordered_map<Task*, Pending> pending_;  // JavaScript thread only; owns every task until it is settled

  std::mutex mutex_;  // guards what follows
  std::condition_variable idle_;
  std::vector<Task*> executing_;
  std::vector<Task*> finished_;
  bool stopped_ = false;
};

}  // namespace spillway
