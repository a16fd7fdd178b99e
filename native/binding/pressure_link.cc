#include "binding/pressure_link.h"

#include <cmath>

#include "binding/environment.h"
#include "memory/governor.h"

namespace spillway {
namespace {

void Put(napi_env env, napi_value object, const char* name, double value) {
  napi_value number = nullptr;
  napi_create_double(env, value, &number);
  napi_set_named_property(env, object, name, number);
}

void Put(napi_env env, napi_value object, const char* name, const std::string& value) {
  napi_value text = nullptr;
  napi_create_string_utf8(env, value.data(), value.size(), &text);
  napi_set_named_property(env, object, name, text);
}

napi_value MakeEvent(napi_env env, const PressureEvent& event) {
  static constexpr const char* kKinds[] = {"level", "freed", "spill", "signal"};
  napi_value object = nullptr;
  napi_create_object(env, &object);
  Put(env, object, "kind", std::string(kKinds[static_cast<int>(event.kind)]));
  Put(env, object, "level", static_cast<double>(event.reading.level));
  Put(env, object, "previous", static_cast<double>(event.previous));
  napi_set_named_property(env, object, "reading", MakeReading(env, event.reading));
  Put(env, object, "reason", event.reason);
  Put(env, object, "bytes", static_cast<double>(event.bytes));
  Put(env, object, "account", event.account);
  return object;
}

// What a listener throws is an uncaught exception, as from a timer.
void Call(napi_env env, napi_value listener, napi_value event) {
  napi_value receiver = nullptr, exception = nullptr;
  napi_get_undefined(env, &receiver);
  if (napi_call_function(env, receiver, listener, 1, &event, nullptr) == napi_pending_exception &&
      napi_get_and_clear_last_exception(env, &exception) == napi_ok)
    napi_fatal_exception(env, exception);
}

}  // namespace

napi_value MakeReading(napi_env env, const PressureReading& reading) {
  napi_value object = nullptr;
  napi_create_object(env, &object);
  Put(env, object, "at", reading.at_ms);
  Put(env, object, "residentBytes", static_cast<double>(reading.resident));
  Put(env, object, "childrenBytes", static_cast<double>(reading.children));
  Put(env, object, "limitBytes", static_cast<double>(reading.limit));
  Put(env, object, "workingSetBytes", static_cast<double>(reading.working_set));
  Put(env, object, "budgetBytes", static_cast<double>(reading.budget));
  Put(env, object, "headroomBytes", static_cast<double>(reading.headroom));
  Put(env, object, "usedShare", reading.used_share);
  Put(env, object, "level", static_cast<double>(reading.level));
  Put(env, object, "unmanagedBytes", static_cast<double>(reading.unmanaged));
  Put(env, object, "stalledUs", reading.stalled_us < 0 ? NAN : static_cast<double>(reading.stalled_us));
  Put(env, object, "source", reading.source);
  Put(env, object, "baseBytes", static_cast<double>(reading.base));
  return object;
}

void PressureLink::Listen(Napi::Function listener) {
  Silence();
  listener_ = Napi::Persistent(listener);
  Governor::Global().Listen(this);
}

void PressureLink::Silence() {
  if (listener_.IsEmpty()) return;
  Governor::Global().Ignore(this);
  listener_.Reset();
  std::lock_guard lock(mutex_);
  waiting_.clear();
}

void PressureLink::End() {
  Silence();
  Governor::Global().Forget(this);
}

void PressureLink::OnPressure(const PressureEvent& event) {
  {
    std::lock_guard lock(mutex_);
    if (waiting_.size() == kMostWaiting) waiting_.pop_front();
    waiting_.push_back(event);
  }
  environment_.Wake();
}

// The listener may stop listening, or put another in its place.
void PressureLink::Deliver() {
  for (;;) {
    std::unique_lock lock(mutex_);
    if (waiting_.empty()) return;
    const PressureEvent event = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    napi_env env = listener_.Env();
    napi_handle_scope scope = nullptr;
    if (napi_open_handle_scope(env, &scope) != napi_ok) return;
    Call(env, listener_.Value(), MakeEvent(env, event));
    napi_close_handle_scope(env, scope);
  }
}

}  // namespace spillway
