#include "binding/cache_key.h"

#include <string_view>

#include "binding/environment.h"

namespace spillway {
namespace {

bool HasLoneSurrogate(const std::u16string& text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if ((text[i] & 0xF800) != 0xD800) continue;
    if (text[i] >= 0xDC00 || i + 1 == text.size() || (text[i + 1] & 0xFC00) != 0xDC00) return true;
    ++i;
  }
  return false;
}

}  // namespace

bool KeyArgument::Read(napi_env env, napi_value value) {
  size_t bytes = 0;
  if (napi_get_value_string_utf8(env, value, short_, sizeof(short_), &bytes) != napi_ok)
    return ReadBytes(env, value);
  // A cut string ends within one character of the buffer's end.
  if (bytes >= sizeof(short_) - 4) return ReadLongText(env, value);
  return Finish(env, value, short_, bytes);
}

bool KeyArgument::ReadLongText(napi_env env, napi_value value) {
  size_t bytes = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &bytes) != napi_ok) return false;
  if (bytes > CacheTable::kLargestKey) return Refuse(env);
  long_.resize(bytes + 1);
  if (napi_get_value_string_utf8(env, value, long_.data(), long_.size(), &bytes) != napi_ok) return false;
  return Finish(env, value, long_.data(), bytes);
}

// Lone surrogates all become U+FFFD in UTF-8, so that different keys would look alike.
bool KeyArgument::Finish(napi_env env, napi_value value, const char* data, size_t bytes) {
  if (!std::memchr(data, '\xEF', bytes) ||
      std::string_view(data, bytes).find("\xEF\xBF\xBD") == std::string_view::npos) {
    key_ = CacheTable::MakeKey(KeyKind::kText, data, bytes);
    return true;
  }
  size_t units = 0;
  if (napi_get_value_string_utf16(env, value, nullptr, 0, &units) != napi_ok) return false;
  std::u16string text(units + 1, u'\0');
  if (napi_get_value_string_utf16(env, value, text.data(), text.size(), &units) != napi_ok) return false;
  text.resize(units);
  if (!HasLoneSurrogate(text)) {
    key_ = CacheTable::MakeKey(KeyKind::kText, data, bytes);
    return true;
  }
  if (units * 2 > CacheTable::kLargestKey) return Refuse(env);
  long_.assign(reinterpret_cast<const char*>(text.data()), units * 2);
  key_ = CacheTable::MakeKey(KeyKind::kUtf16, long_.data(), long_.size());
  return true;
}

bool KeyArgument::ReadBytes(napi_env env, napi_value value) {
  napi_typedarray_type type;
  size_t bytes = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, value, &type, &bytes, &data, nullptr, nullptr) != napi_ok ||
      type != napi_uint8_array || bytes > CacheTable::kLargestKey)
    return Refuse(env);
  key_ = CacheTable::MakeKey(KeyKind::kBytes, static_cast<const char*>(data), bytes);
  return true;
}

bool KeyArgument::Refuse(napi_env env) {
  napi_throw(env, Environment::Of(env).MakeError(Status::Error(
                      "ERR_INVALID_ARGUMENT",
                      "expected a string or a Uint8Array of at most 65535 bytes for the key of a cache")));
  return false;
}

napi_value MakeKey(napi_env env, KeyKind kind, const char* data, size_t bytes) {
  napi_value key = nullptr;
  if (kind == KeyKind::kText) {
    napi_create_string_utf8(env, data, bytes, &key);
  } else if (kind == KeyKind::kUtf16) {
    std::u16string text(bytes / 2, u'\0');
    std::memcpy(text.data(), data, bytes);
    napi_create_string_utf16(env, text.data(), text.size(), &key);
  } else {
    void* copy = nullptr;
    napi_value buffer = nullptr;
    if (napi_create_arraybuffer(env, bytes, &copy, &buffer) != napi_ok) return nullptr;
    if (bytes > 0) std::memcpy(copy, data, bytes);
    napi_create_typedarray(env, napi_uint8_array, bytes, buffer, 0, &key);
  }
  return key;
}

}  // namespace spillway
