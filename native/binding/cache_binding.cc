// Byte caches, as src/contract/cache.ts types them.
//
// Each cache is an object of functions that carry its handle, and they use raw Node-API calls: a lookup takes
// some hundred nanoseconds, of which wrappers would be a third.
#include "binding/arguments.h"
#include "binding/cache_key.h"
#include "binding/parts.h"
#include "cache/registry.h"

namespace spillway {
namespace {

constexpr uint32_t kNoLease = UINT32_MAX;  // of a buffer that is its owner's alone

struct CacheHandle {
  std::shared_ptr<CacheTable> table;
  uint32_t* lease_id = nullptr;  // in a Uint32Array of the cache's object
};

// The arguments of one call and the cache it is made on.
template <size_t kCount>
struct Call {
  Call(napi_env env, napi_callback_info info) : env(env) {
    size_t count = kCount;
    void* data = nullptr;
    napi_get_cb_info(env, info, &count, arguments, nullptr, &data);
    handle = static_cast<CacheHandle*>(data);
  }
  CacheTable& table() const { return *handle->table; }
  bool ReadKey() { return key.Read(env, arguments[0]); }

  napi_env env;
  CacheHandle* handle;
  napi_value arguments[kCount];  // those not given are undefined
  KeyArgument key;
};

napi_value Boolean(napi_env env, bool value) {
  napi_value result = nullptr;
  napi_get_boolean(env, value, &result);
  return result;
}

napi_value Number(napi_env env, int64_t value) {
  napi_value result = nullptr;
  if (value >= INT32_MIN && value <= INT32_MAX)
    napi_create_int32(env, static_cast<int32_t>(value), &result);
  else
    napi_create_int64(env, value, &result);
  return result;
}

napi_value ThrowShape(napi_env env, const char* expected) {
  napi_throw(env, Environment::Of(env).MakeError(
                      Status::Error("ERR_INVALID_ARGUMENT", std::string("expected ") + expected)));
  return nullptr;
}

bool Bytes(napi_env env, napi_value value, char** data, size_t* bytes) {
  napi_typedarray_type type;
  void* memory = nullptr;
  const napi_status status = napi_get_typedarray_info(env, value, &type, bytes, &memory, nullptr, nullptr);
  *data = static_cast<char*>(memory);
  return status == napi_ok && type == napi_uint8_array;
}

// set(key, bytes, ttlMs) → boolean
napi_value Set(napi_env env, napi_callback_info info) {
  Call<3> call(env, info);
  char* value;
  size_t bytes;
  int64_t ttl_ms;
  if (!call.ReadKey()) return nullptr;
  if (!Bytes(env, call.arguments[1], &value, &bytes)) return ThrowShape(env, "a Uint8Array for a value");
  if (napi_get_value_int64(env, call.arguments[2], &ttl_ms) != napi_ok)
    return ThrowShape(env, "a number of milliseconds");
  return Boolean(env, call.table().Set(call.key.key(), value, bytes, ttl_ms));
}

// read(key, target, offset, use) → bytes copied, -1, or -2 - n
napi_value Read(napi_env env, napi_callback_info info) {
  Call<4> call(env, info);
  char* target;
  size_t bytes;
  uint32_t offset;
  bool use;
  if (!call.ReadKey()) return nullptr;
  if (!Bytes(env, call.arguments[1], &target, &bytes) ||
      napi_get_value_uint32(env, call.arguments[2], &offset) != napi_ok || offset > bytes ||
      napi_get_value_bool(env, call.arguments[3], &use) != napi_ok)
    return ThrowShape(env, "a Uint8Array, an offset into it, and whether this is a use");
  return Number(env, call.table().Read(call.key.key(), target + offset, bytes - offset, use));
}

napi_value Has(napi_env env, napi_callback_info info) {
  Call<1> call(env, info);
  return call.ReadKey() ? Boolean(env, call.table().Has(call.key.key())) : nullptr;
}

napi_value Delete(napi_env env, napi_callback_info info) {
  Call<1> call(env, info);
  return call.ReadKey() ? Boolean(env, call.table().Delete(call.key.key())) : nullptr;
}

// Lent memory is no longer reachable once its buffer is detached or collected, whichever comes first.
void FinalizeLease(napi_env env, void*, void* hint) {
  auto* lease = static_cast<CacheLease*>(hint);
  if (lease->table) Environment::Of(env).leases.End(lease);
  delete lease;
}

// Where a buffer cannot be lent (Electron forbids it; an entry has a million leases) its owner gets a copy.
napi_value CopyLease(Call<1>& call) {
  size_t room = 0;
  for (;;) {
    napi_value buffer = nullptr;
    void* data = nullptr;
    if (napi_create_arraybuffer(call.env, room, &data, &buffer) != napi_ok) return nullptr;
    const int64_t bytes = call.table().Read(call.key.key(), static_cast<char*>(data), room, true);
    if (bytes == CacheTable::kMissing) return nullptr;
    *call.handle->lease_id = kNoLease;
    if (bytes == static_cast<int64_t>(room)) return buffer;
    room = bytes >= 0 ? bytes : -2 - bytes;
  }
}

// lease(key) → ArrayBuffer of its own over the cached bytes, or undefined; its number in leaseId[0]
napi_value Lease(napi_env env, napi_callback_info info) {
  Call<1> call(env, info);
  if (!call.ReadKey()) return nullptr;
  bool refused;
  const CacheTable::Pinned pinned = call.table().Pin(call.key.key(), &refused);
  if (refused) return CopyLease(call);
  if (!pinned.entry) return nullptr;
  if (pinned.bytes == 0) {
    call.table().Unpin(pinned);
    return CopyLease(call);
  }
  LeaseSet& leases = Environment::Of(env).leases;
  CacheLease* lease = leases.Open(call.handle->table, pinned);
  napi_value buffer = nullptr;
  if (napi_create_external_arraybuffer(env, pinned.value, pinned.bytes, FinalizeLease, lease, &buffer) !=
      napi_ok) {
    leases.End(lease);
    delete lease;
    return CopyLease(call);
  }
  *call.handle->lease_id = lease->id;
  return buffer;
}

// release(id, buffer): detaches the buffer and unpins
napi_value Release(napi_env env, napi_callback_info info) {
  Call<2> call(env, info);
  uint32_t id;
  if (napi_get_value_uint32(env, call.arguments[0], &id) != napi_ok)
    return ThrowShape(env, "the number of a lease");
  // The buffer first: nothing may see the slot once it is somebody else's.
  napi_detach_arraybuffer(env, call.arguments[1]);
  LeaseSet& leases = Environment::Of(env).leases;
  if (CacheLease* lease = leases.Find(id)) leases.End(lease);
  return nullptr;
}

napi_value Clear(napi_env env, napi_callback_info info) {
  Call<1>(env, info).table().Clear();
  return nullptr;
}

napi_value Resize(napi_env env, napi_callback_info info) {
  Call<1> call(env, info);
  int64_t bytes;
  if (napi_get_value_int64(env, call.arguments[0], &bytes) != napi_ok || bytes < 0)
    return ThrowShape(env, "a number of bytes");
  call.table().Resize(bytes);
  return nullptr;
}

napi_value Shrink(napi_env env, napi_callback_info info) {
  Call<1> call(env, info);
  int64_t bytes;
  if (napi_get_value_int64(env, call.arguments[0], &bytes) != napi_ok || bytes < 0)
    return ThrowShape(env, "a number of bytes");
  return Number(env, call.table().Shrink(bytes));
}

napi_value AdvanceClock(napi_env env, napi_callback_info info) {
  Call<1> call(env, info);
  int64_t ms;
  if (napi_get_value_int64(env, call.arguments[0], &ms) != napi_ok || ms < 0)
    return ThrowShape(env, "a number of milliseconds");
  call.table().AdvanceClock(ms);
  return nullptr;
}

napi_value Stats(napi_env env, napi_callback_info info) {
  const CacheTable::Stats stats = Call<1>(env, info).table().Read();
  const std::pair<const char*, int64_t> rows[] = {
      {"maxBytes", stats.max_bytes},
      {"usedBytes", stats.committed_bytes},
      {"payloadBytes", static_cast<int64_t>(stats.payload_bytes)},
      {"entries", static_cast<int64_t>(stats.entries)},
      {"leases", static_cast<int64_t>(stats.pins)},
      {"hits", static_cast<int64_t>(stats.hits)},
      {"misses", static_cast<int64_t>(stats.misses)},
      {"sets", static_cast<int64_t>(stats.sets)},
      {"evictions", static_cast<int64_t>(stats.evictions)},
      {"expirations", static_cast<int64_t>(stats.expirations)},
      {"refusals", static_cast<int64_t>(stats.refusals)},
  };
  napi_value object = nullptr;
  napi_create_object(env, &object);
  for (const auto& [name, value] : rows) napi_set_named_property(env, object, name, Number(env, value));
  return object;
}

napi_value Keys(napi_env env, napi_callback_info info) {
  struct Copy {
    KeyKind kind;
    std::string bytes;
  };
  std::vector<Copy> copies;  // JavaScript values are not made while a lock is held
  Call<1>(env, info).table().ForEachKey([&](KeyKind kind, const char* data, size_t bytes) {
    copies.push_back({kind, std::string(data, bytes)});
  });
  napi_value array = nullptr;
  napi_create_array_with_length(env, copies.size(), &array);
  for (uint32_t i = 0; i < copies.size(); ++i) {
    napi_handle_scope scope = nullptr;
    if (napi_open_handle_scope(env, &scope) != napi_ok) return array;
    const Copy& copy = copies[i];
    if (napi_value key = MakeKey(env, copy.kind, copy.bytes.data(), copy.bytes.size()))
      napi_set_element(env, array, i, key);
    napi_close_handle_scope(env, scope);
  }
  return array;
}

CacheTable::Options OptionsOf(const Napi::CallbackInfo& info) {
  static constexpr char kShape[] = "the plan of a cache";
  RequireShape(info, info.Length() == 1 && info[0].IsObject(), kShape);
  auto plan = info[0].As<Napi::Object>();
  for (const char* name : {"maxBytes", "ttlMs"}) RequireShape(info, plan.Get(name).IsNumber(), kShape);
  RequireShape(info, plan.Get("name").IsString(), kShape);
  return {plan.Get("name").As<Napi::String>().Utf8Value(),
          plan.Get("maxBytes").As<Napi::Number>().Int64Value(),
          plan.Get("ttlMs").As<Napi::Number>().Int64Value(), plan.Get("manualClock").ToBoolean()};
}

// openCache(plan): the functions above, over the cache of that plan
Napi::Value OpenCache(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto handle = std::make_unique<CacheHandle>();
  if (Status status = OpenCacheTable(OptionsOf(info), &handle->table); !status.ok())
    Environment::Of(env).Throw(status);
  auto object = Napi::Object::New(env);
  auto lease_id = Napi::Uint32Array::New(env, 1);
  handle->lease_id = lease_id.Data();
  object["leaseId"] = lease_id;
  const std::pair<const char*, napi_callback> functions[] = {
      {"set", Set},       {"read", Read},       {"has", Has},     {"delete", Delete},
      {"lease", Lease},   {"release", Release}, {"clear", Clear}, {"resize", Resize},
      {"shrink", Shrink}, {"stats", Stats},     {"keys", Keys},   {"advanceClock", AdvanceClock}};
  for (const auto& [name, callback] : functions) {
    napi_value function = nullptr;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, handle.get(), &function);
    object[name] = Napi::Value(env, function);
  }
  // The functions live no longer than the object: only src/cache holds them, through it.
  object.AddFinalizer([](Napi::Env, CacheHandle* last) { delete last; }, handle.release());
  return object;
}

}  // namespace

void RegisterCache(Napi::Env env, Napi::Object exports) {
  exports["openCache"] = Napi::Function::New(env, OpenCache, "openCache");
}

}  // namespace spillway
