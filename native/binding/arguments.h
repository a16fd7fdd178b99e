// Argument shapes. TypeScript has validated the values; these checks keep a wrong caller from crashing us.
#pragma once

#include <napi.h>

#include <cmath>
#include <string>

#include "binding/environment.h"

namespace spillway {

inline void RequireShape(const Napi::CallbackInfo& info, bool holds, const char* expected) {
  if (!holds)
    Environment::Of(info.Env())
        .Throw(Status::Error("ERR_INVALID_ARGUMENT", std::string("expected ") + expected));
}

inline int64_t Int64Argument(const Napi::CallbackInfo& info, size_t index, const char* expected) {
  RequireShape(info, info.Length() > index && info[index].IsNumber(), expected);
  return info[index].As<Napi::Number>().Int64Value();
}

// `otherwise` where there is none.
inline double FiniteArgument(const Napi::CallbackInfo& info, size_t index, double otherwise,
                             const char* expected) {
  if (info[index].IsUndefined()) return otherwise;
  RequireShape(info, info[index].IsNumber(), expected);
  const double value = info[index].As<Napi::Number>().DoubleValue();
  RequireShape(info, std::isfinite(value), expected);
  return value;
}

inline std::string StringArgument(const Napi::CallbackInfo& info, size_t index, const char* expected) {
  RequireShape(info, info.Length() > index && info[index].IsString(), expected);
  return info[index].As<Napi::String>().Utf8Value();
}

}  // namespace spillway
