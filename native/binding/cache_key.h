// A key of a cache as JavaScript gives it: a string or a Uint8Array.
#pragma once

#include <node_api.h>

#include <string>

#include "cache/table.h"

namespace spillway {

// Raw calls: the key is read in the hottest path there is.
class KeyArgument {
 public:
  // False with an exception pending where `value` is no key.
  bool Read(napi_env env, napi_value value);
  const CacheKey& key() const { return key_; }

 private:
  bool ReadLongText(napi_env env, napi_value value);
  bool ReadBytes(napi_env env, napi_value value);
  bool Finish(napi_env env, napi_value value, const char* data, size_t bytes);
  bool Refuse(napi_env env);

  CacheKey key_;
  std::string long_;
  char short_[512];
};

// The key as it was given.
napi_value MakeKey(napi_env env, KeyKind kind, const char* data, size_t bytes);

}  // namespace spillway
