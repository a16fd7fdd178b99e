// Calls the addresses that ONNX Runtime's CUDA provider is given for its memory, as it does: from outside the addon.
#include <node_api.h>

#include <cstdint>
#include <cstdlib>

namespace {

struct Arguments {
  uint64_t function = 0, value = 0;

  // The function's address as text, then a number or an address.
  Arguments(napi_env env, napi_callback_info info) {
    size_t count = 2, length = 0;
    napi_value values[2];
    char text[32] = "";
    bool lossless;
    napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
    napi_get_value_string_utf8(env, values[0], text, sizeof(text), &length);
    function = std::strtoull(text, nullptr, 10);
    if (count > 1) napi_get_value_bigint_uint64(env, values[1], &value, &lossless);
  }
};

napi_value Allocate(napi_env env, napi_callback_info info) {
  const Arguments given(env, info);
  void* address = reinterpret_cast<void* (*)(size_t)>(given.function)(given.value);
  napi_value result;
  napi_create_bigint_uint64(env, reinterpret_cast<uint64_t>(address), &result);
  return result;
}

napi_value Free(napi_env env, napi_callback_info info) {
  const Arguments given(env, info);
  reinterpret_cast<void (*)(void*)>(given.function)(reinterpret_cast<void*>(given.value));
  return nullptr;
}

napi_value Empty(napi_env env, napi_callback_info info) {
  reinterpret_cast<void (*)()>(Arguments(env, info).function)();
  return nullptr;
}

}  // namespace

extern "C" napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  const napi_property_descriptor functions[] = {
      {"allocate", nullptr, Allocate, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"free", nullptr, Free, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"empty", nullptr, Empty, nullptr, nullptr, nullptr, napi_enumerable, nullptr}};
  napi_define_properties(env, exports, 3, functions);
  return exports;
}
