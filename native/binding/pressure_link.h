// The governor's events on their way to one environment, and the plan that it made.
#pragma once

#include <napi.h>

#include <deque>
#include <mutex>

#include "memory/pressure.h"

namespace spillway {

class Environment;

class PressureLink : public PressureListener {
 public:
  explicit PressureLink(Environment& environment) : environment_(environment) {}

  // Calls `listener` with every event, in place of any before. JavaScript thread only, as are the next three.
  void Listen(Napi::Function listener);
  void Silence();
  // Tells the listener what has waited.
  void Deliver();
  // Before the environment goes: no event afterwards, and the plan it made no longer holds. Harmless when
  // repeated.
  void End();

  void OnPressure(const PressureEvent& event) override;

 private:
  // While JavaScript is blocked for long the oldest are lost.
  static constexpr size_t kMostWaiting = 256;

  Environment& environment_;
  Napi::FunctionReference listener_;
  std::mutex mutex_;  // guards what follows
  std::deque<PressureEvent> waiting_;
};

// A reading as src/contract/governor.ts types it.
napi_value MakeReading(napi_env env, const PressureReading& reading);

}  // namespace spillway
