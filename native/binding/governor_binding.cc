// The governor, as src/contract/governor.ts types it.
#include <cmath>

#include "binding/arguments.h"
#include "binding/parts.h"
#include "memory/governor.h"

namespace spillway {
namespace {

GovernorPlan PlanOf(const Napi::CallbackInfo& info) {
  static constexpr char kShape[] = "the plan of a governor, or undefined";
  RequireShape(info, info[0].IsObject(), kShape);
  auto plan = info[0].As<Napi::Object>();
  for (const char* name : {"residentBytes", "limitShare"})
    RequireShape(info, plan.Get(name).IsNumber(), kShape);
  for (const char* name : {"proc", "cgroup"}) RequireShape(info, plan.Get(name).IsString(), kShape);
  const double resident = plan.Get("residentBytes").As<Napi::Number>().DoubleValue();
  const double share = plan.Get("limitShare").As<Napi::Number>().DoubleValue();
  RequireShape(info, resident > 0, "a size above 0 for residentBytes");
  RequireShape(info, share > 0 && share <= 1, "a share above 0 and up to 1 for limitShare");
  return {std::isinf(resident) ? INT64_MAX : static_cast<int64_t>(resident), share,
          plan.Get("proc").As<Napi::String>().Utf8Value(), plan.Get("cgroup").As<Napi::String>().Utf8Value()};
}

// configure(plan | undefined)
void Configure(const Napi::CallbackInfo& info) {
  PressureLink& owner = Environment::Of(info.Env()).pressure;
  if (info[0].IsUndefined())
    Governor::Global().Forget(&owner);
  else
    Governor::Global().Configure(PlanOf(info), &owner);
}

Napi::Value Sources(const Napi::CallbackInfo& info) {
  const std::vector<std::string> sources = Governor::Global().Sources();
  auto result = Napi::Array::New(info.Env(), sources.size());
  for (uint32_t i = 0; i < sources.size(); ++i) result[i] = sources[i];
  return result;
}

Napi::Value Measure(const Napi::CallbackInfo& info) {
  return {info.Env(), MakeReading(info.Env(), Governor::Global().Measure())};
}

Napi::Value Look(const Napi::CallbackInfo& info) {
  return {info.Env(), MakeReading(info.Env(), Governor::Global().Look())};
}

int ProcessId(const Napi::CallbackInfo& info) {
  const int64_t pid = Int64Argument(info, 0, "the number of a process");
  RequireShape(info, pid > 0 && pid <= INT32_MAX, "the number of a process");
  return static_cast<int>(pid);
}

void IncludeChild(const Napi::CallbackInfo& info) { Governor::Global().Include(ProcessId(info)); }
void ExcludeChild(const Napi::CallbackInfo& info) { Governor::Global().Exclude(ProcessId(info)); }

void Start(const Napi::CallbackInfo& info) {
  RequireShape(info, info[0].IsFunction(), "a listener");
  Environment::Of(info.Env()).pressure.Listen(info[0].As<Napi::Function>());
}

void Stop(const Napi::CallbackInfo& info) { Environment::Of(info.Env()).pressure.Silence(); }

template <typename Field>
Napi::Float64Array Column(Napi::Env env, const std::vector<PressureFigures>& rows, Field field) {
  auto column = Napi::Float64Array::New(env, rows.size());
  for (size_t i = 0; i < rows.size(); ++i) column[i] = static_cast<double>(rows[i].*field);
  return column;
}

Napi::Value History(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const std::vector<PressureFigures> rows = Governor::Global().History();
  auto history = Napi::Object::New(env);
  history["at"] = Column(env, rows, &PressureFigures::at_ms);
  history["residentBytes"] = Column(env, rows, &PressureFigures::resident);
  history["childrenBytes"] = Column(env, rows, &PressureFigures::children);
  history["limitBytes"] = Column(env, rows, &PressureFigures::limit);
  history["workingSetBytes"] = Column(env, rows, &PressureFigures::working_set);
  history["budgetBytes"] = Column(env, rows, &PressureFigures::budget);
  history["headroomBytes"] = Column(env, rows, &PressureFigures::headroom);
  history["usedShare"] = Column(env, rows, &PressureFigures::used_share);
  history["level"] = Column(env, rows, &PressureFigures::level);
  history["unmanagedBytes"] = Column(env, rows, &PressureFigures::unmanaged);
  auto stalled = Column(env, rows, &PressureFigures::stalled_us);
  for (size_t i = 0; i < rows.size(); ++i)
    if (rows[i].stalled_us < 0) stalled[i] = NAN;
  history["stalledUs"] = stalled;
  return history;
}

// reclaim(bytes) → bytes freed
Napi::Value Reclaim(const Napi::CallbackInfo& info) {
  const int64_t bytes = Int64Argument(info, 0, "a number of bytes");
  RequireShape(info, bytes >= 0, "a number of bytes of at least 0");
  return Napi::Number::New(info.Env(), static_cast<double>(Governor::Global().Reclaim(bytes)));
}

Napi::Value Figures(const Napi::CallbackInfo& info) {
  const GovernorFigures figures = Governor::Global().Figures();
  auto result = Napi::Object::New(info.Env());
  result["samples"] = static_cast<double>(figures.samples);
  result["cpuUs"] = static_cast<double>(figures.cpu_us);
  result["periodMs"] = figures.period_ms;
  result["evictions"] = static_cast<double>(figures.evictions);
  result["freedBytes"] = static_cast<double>(figures.freed_bytes);
  result["trims"] = static_cast<double>(figures.trims);
  result["spills"] = static_cast<double>(figures.spills);
  result["storageCeilingBytes"] =
      figures.storage_ceiling == kUnlimited ? INFINITY : static_cast<double>(figures.storage_ceiling);
  return result;
}

}  // namespace

void RegisterGovernor(Napi::Env env, Napi::Object exports) {
  auto governor = Napi::Object::New(env);
  governor["configure"] = Napi::Function::New(env, Configure, "configure");
  governor["sources"] = Napi::Function::New(env, Sources, "sources");
  governor["measure"] = Napi::Function::New(env, Measure, "measure");
  governor["look"] = Napi::Function::New(env, Look, "look");
  governor["includeChild"] = Napi::Function::New(env, IncludeChild, "includeChild");
  governor["excludeChild"] = Napi::Function::New(env, ExcludeChild, "excludeChild");
  governor["start"] = Napi::Function::New(env, Start, "start");
  governor["stop"] = Napi::Function::New(env, Stop, "stop");
  governor["history"] = Napi::Function::New(env, History, "history");
  governor["reclaim"] = Napi::Function::New(env, Reclaim, "reclaim");
  governor["figures"] = Napi::Function::New(env, Figures, "figures");
  exports["governor"] = governor;
}

}  // namespace spillway
