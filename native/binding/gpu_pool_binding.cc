// Device memory, as src/contract/gpu.ts types it. A block is an External that frees it when collected at the
// latest.
#include <fcntl.h>
#include <unistd.h>

#include <cmath>

#include "binding/arguments.h"
#include "binding/gpu_binding.h"
#include "binding/gpu_task.h"
#include "gpu/pool.h"
#include "gpu/staging.h"

namespace spillway {
namespace {

// Shared with the work in flight on it: released meanwhile, it is freed once that is over.
struct DeviceBlock {
  DevicePool& pool;
  const int64_t bytes;
  uint64_t address = 0;

  DeviceBlock(DevicePool& owner, int64_t size) : pool(owner), bytes(size) {}
  ~DeviceBlock() {
    if (address != 0) pool.Free(address);
  }
};
using Handle = std::shared_ptr<DeviceBlock>;

constexpr napi_type_tag kHandleTag{0x7370696c6c776179, 0x6465766963652e31};  // "spillway", "device.1"

DevicePool& PoolArgument(const Napi::CallbackInfo& info) {
  const int64_t device = Int64Argument(info, 0, "the number of a device");
  RequireShape(info, device >= 0 && device < DevicePool::kMaxDevices, "the number of a device from 0 to 63");
  return DevicePool::Of(static_cast<int>(device));
}

Handle& HandleArgument(const Napi::CallbackInfo& info) {
  RequireShape(info, info.Length() > 0 && info[0].IsExternal(), "a block of device memory");
  auto external = info[0].As<Napi::External<Handle>>();
  RequireShape(info, external.CheckTypeTag(&kHandleTag), "a block of device memory");
  return *external.Data();
}

Handle RequireBlock(const Napi::CallbackInfo& info) {
  Handle& handle = HandleArgument(info);
  if (!handle)
    Environment::Of(info.Env()).Throw(Status::Error("ERR_CLOSED", "the device memory has been released"));
  return handle;
}

Napi::Value Stats(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const DevicePool::Stats stats = PoolArgument(info).GetStats();
  auto result = Napi::Object::New(env), accounts = Napi::Object::New(env);
  result["usedBytes"] = static_cast<double>(stats.used);
  result["peakBytes"] = static_cast<double>(stats.peak);
  result["reservedBytes"] = static_cast<double>(stats.reserved);
  result["limitBytes"] = stats.limit == kUnlimited ? INFINITY : static_cast<double>(stats.limit);
  result["allocations"] = static_cast<double>(stats.allocations);
  for (size_t i = 1; i < stats.accounts.size(); ++i) {
    auto account = Napi::Object::New(env);
    account["bytes"] = static_cast<double>(stats.accounts[i].bytes);
    account["reserved"] = static_cast<double>(stats.accounts[i].reserved);
    account["peak"] = static_cast<double>(stats.accounts[i].peak);
    accounts[stats.accounts[i].name] = account;
  }
  result["accounts"] = accounts;
  return result;
}

void SetLimit(const Napi::CallbackInfo& info) {
  DevicePool& pool = PoolArgument(info);
  RequireShape(info, info.Length() > 1 && info[1].IsNumber(), "a limit in bytes");
  const double bytes = info[1].As<Napi::Number>().DoubleValue();
  RequireShape(info, bytes >= 0, "a limit in bytes of at least 0");
  pool.SetLimit(std::isinf(bytes) ? kUnlimited : static_cast<int64_t>(bytes));
}

Napi::Value Trim(const Napi::CallbackInfo& info) {
  DevicePool& pool = PoolArgument(info);
  auto freed = std::make_shared<int64_t>(0);
  return Environment::Of(info.Env())
      .Start(std::make_unique<GpuTask>(
          info.This(), [&pool, freed](const std::atomic<bool>&) { return pool.Trim(freed.get()); },
          [freed](napi_env env) {
            napi_value value = nullptr;
            napi_create_int64(env, *freed, &value);
            return value;
          }));
}

Napi::Value Allocate(const Napi::CallbackInfo& info) {
  DevicePool& pool = PoolArgument(info);
  const int64_t bytes = Int64Argument(info, 1, "a number of bytes");
  RequireShape(info, bytes > 0, "a number of bytes above 0");
  Handle block = std::make_shared<DeviceBlock>(pool, bytes);
  return Environment::Of(info.Env())
      .Start(std::make_unique<GpuTask>(
          info.This(),
          [&pool, block](const std::atomic<bool>&) { return pool.Allocate(block->bytes, &block->address); },
          [block](napi_env env) {
            napi_value value = nullptr;
            auto* handle = new Handle(block);
            const auto free = [](napi_env, void* data, void*) { delete static_cast<Handle*>(data); };
            if (napi_create_external(env, handle, free, nullptr, &value) != napi_ok) {
              delete handle;
              return static_cast<napi_value>(nullptr);
            }
            napi_type_tag_object(env, value, &kHandleTag);
            return value;
          }));
}

void Release(const Napi::CallbackInfo& info) { HandleArgument(info).reset(); }

// (block, path, offset): as many bytes as the block has.
Napi::Value UploadFile(const Napi::CallbackInfo& info) {
  Handle block = RequireBlock(info);
  const std::string path = StringArgument(info, 1, "a path");
  const int64_t offset = Int64Argument(info, 2, "an offset");
  RequireShape(info, offset >= 0, "an offset of at least 0");
  return Environment::Of(info.Env())
      .Start(std::make_unique<GpuTask>(
          info.This(),
          [block, path, offset](const std::atomic<bool>& cancelled) {
            const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
            if (descriptor < 0) return Status::System(errno, "cannot open '" + path + "'");
            posix_fadvise(descriptor, offset, block->bytes, POSIX_FADV_SEQUENTIAL);
            Status status = block->pool.staging().Upload(
                block->address, static_cast<uint64_t>(block->bytes),
                FileSource(descriptor, static_cast<uint64_t>(offset)), cancelled);
            close(descriptor);
            return status;
          },
          SettleUndefined));
}

// (block, bytes): into the whole of `bytes`, from the start of the block.
Napi::Value Download(const Napi::CallbackInfo& info) {
  Handle block = RequireBlock(info);
  RequireShape(info, info.Length() > 1 && info[1].IsTypedArray(), "bytes to fill");
  auto target = info[1].As<Napi::Uint8Array>();
  RequireShape(info,
               target.TypedArrayType() == napi_uint8_array && target.ByteLength() > 0 &&
                   static_cast<int64_t>(target.ByteLength()) <= block->bytes,
               "1 to as many bytes to fill as the block has");
  return Environment::Of(info.Env())
      .Start(std::make_unique<GpuTask>(
          target,
          [block, data = target.Data(), bytes = target.ByteLength()](const std::atomic<bool>&) {
            return block->pool.staging().Download(data, block->address, bytes, block->pool.stream());
          },
          SettleUndefined));
}

// ONNX Runtime takes addresses as decimal text.
Napi::Value ExternalAllocator(const Napi::CallbackInfo& info) {
  const DeviceAllocator::External functions = PoolArgument(info).Addresses();
  auto result = Napi::Object::New(info.Env());
  const auto text = [](auto* function) { return std::to_string(reinterpret_cast<uintptr_t>(function)); };
  result["gpu_external_alloc"] = text(functions.allocate);
  result["gpu_external_free"] = text(functions.free);
  result["gpu_external_empty_cache"] = text(functions.empty_cache);
  return result;
}

}  // namespace

void AddGpuPool(Napi::Env env, Napi::Object gpu) {
  gpu["poolStats"] = Napi::Function::New(env, Stats, "poolStats");
  gpu["setPoolLimit"] = Napi::Function::New(env, SetLimit, "setPoolLimit");
  gpu["trimPool"] = Napi::Function::New(env, Trim, "trimPool");
  gpu["allocate"] = Napi::Function::New(env, Allocate, "allocate");
  gpu["release"] = Napi::Function::New(env, Release, "release");
  gpu["uploadFile"] = Napi::Function::New(env, UploadFile, "uploadFile");
  gpu["download"] = Napi::Function::New(env, Download, "download");
  gpu["externalAllocator"] = Napi::Function::New(env, ExternalAllocator, "externalAllocator");
}

}  // namespace spillway
