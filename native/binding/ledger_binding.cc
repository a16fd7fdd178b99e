// The ledger, as src/contract/ledger.ts types it.
#include <cmath>

#include "binding/arguments.h"
#include "binding/parts.h"
#include "memory/ledger.h"

namespace spillway {
namespace {

AccountId Account(const Napi::CallbackInfo& info, size_t index) {
  auto id = static_cast<AccountId>(Int64Argument(info, index, "a number of an account"));
  RequireShape(info, Ledger::Global().IsOpen(id), "the number of an open account");
  return id;
}

int64_t Bytes(const Napi::CallbackInfo& info) {
  int64_t bytes = Int64Argument(info, 1, "a number of bytes");
  RequireShape(info, bytes >= 0, "a number of bytes of at least 0");
  return bytes;
}

Napi::Value OpenAccount(const Napi::CallbackInfo& info) {
  AccountId id =
      Ledger::Global().Account(StringArgument(info, 0, "the name of an account"), Account(info, 1));
  RequireShape(info, id >= 0, "room for one more account (1024 exist)");
  return Napi::Number::New(info.Env(), id);
}

void SetLimit(const Napi::CallbackInfo& info) {
  AccountId id = Account(info, 0);
  RequireShape(info, info.Length() > 1 && info[1].IsNumber(), "a limit in bytes");
  double bytes = info[1].As<Napi::Number>().DoubleValue();
  Ledger::Global().SetLimit(id, std::isinf(bytes) ? kUnlimited : static_cast<int64_t>(bytes));
}

Napi::Value Limit(const Napi::CallbackInfo& info) {
  int64_t limit = Ledger::Global().Limit(Account(info, 0));
  return Napi::Number::New(info.Env(), limit == kUnlimited ? INFINITY : static_cast<double>(limit));
}

template <ChargeKind kKind>
Napi::Value Charge(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), Ledger::Global().Charge(Account(info, 0), Bytes(info), kKind));
}

template <ChargeKind kKind>
void Credit(const Napi::CallbackInfo& info) {
  Ledger::Global().Credit(Account(info, 0), Bytes(info), kKind);
}

void Overdraw(const Napi::CallbackInfo& info) { Ledger::Global().Overdraw(Account(info, 0), Bytes(info)); }

void Transfer(const Napi::CallbackInfo& info) {
  AccountId from = Account(info, 0), to = Account(info, 1);
  int64_t bytes = Int64Argument(info, 2, "a number of bytes");
  Ledger::Global().Credit(from, bytes, ChargeKind::kEstimated);
  Ledger::Global().Overdraw(to, bytes, ChargeKind::kEstimated);
}

Napi::Value Held(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(Ledger::Global().Held(Account(info, 0))));
}

Napi::Value Snapshot(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto rows = Ledger::Global().Snapshot();
  auto result = Napi::Array::New(env, rows.size());
  for (uint32_t i = 0; i < rows.size(); ++i) {
    auto row = Napi::Object::New(env);
    row["name"] = rows[i].name;
    row["bytes"] = static_cast<double>(rows[i].bytes);
    row["reserved"] = static_cast<double>(rows[i].reserved);
    row["peak"] = static_cast<double>(rows[i].peak);
    result[i] = row;
  }
  return result;
}

}  // namespace

void RegisterLedger(Napi::Env env, Napi::Object exports) {
  auto ledger = Napi::Object::New(env);
  ledger["account"] = Napi::Function::New(env, OpenAccount, "account");
  ledger["setLimit"] = Napi::Function::New(env, SetLimit, "setLimit");
  ledger["limit"] = Napi::Function::New(env, Limit, "limit");
  ledger["charge"] = Napi::Function::New(env, Charge<ChargeKind::kExact>, "charge");
  ledger["overdraw"] = Napi::Function::New(env, Overdraw, "overdraw");
  ledger["credit"] = Napi::Function::New(env, Credit<ChargeKind::kExact>, "credit");
  ledger["reserve"] = Napi::Function::New(env, Charge<ChargeKind::kEstimated>, "reserve");
  ledger["unreserve"] = Napi::Function::New(env, Credit<ChargeKind::kEstimated>, "unreserve");
  ledger["transfer"] = Napi::Function::New(env, Transfer, "transfer");
  ledger["held"] = Napi::Function::New(env, Held, "held");
  ledger["snapshot"] = Napi::Function::New(env, Snapshot, "snapshot");
  exports["ledger"] = ledger;
}

}  // namespace spillway
