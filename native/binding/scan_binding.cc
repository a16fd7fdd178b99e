// The directory walk, as src/contract/scan.ts types it.
#include <algorithm>
#include <chrono>
#include <cstring>
#include <optional>

#include "binding/arguments.h"
#include "binding/parts.h"
#include "scan/walk.h"

namespace spillway {
namespace {

constexpr char kPlanShape[] = "the plan of a scan";

void AddGlobs(const Napi::CallbackInfo& info, const Napi::Value& patterns, GlobSet* set) {
  RequireShape(info, patterns.IsArray(), kPlanShape);
  auto array = patterns.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) {
    Napi::Value pattern = array[i];
    RequireShape(info, pattern.IsString(), kPlanShape);
    set->Add(pattern.As<Napi::String>().Utf8Value());
  }
}

void AddRoots(const Napi::CallbackInfo& info, const Napi::Value& roots, ScanPlan* plan) {
  RequireShape(info, roots.IsArray(), kPlanShape);
  auto array = roots.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) {
    Napi::HandleScope scope(info.Env());
    Napi::Value root = array[i];
    RequireShape(info, root.IsTypedArray(), kPlanShape);
    auto bytes = root.As<Napi::TypedArray>();
    const char* data = static_cast<const char*>(bytes.ArrayBuffer().Data()) + bytes.ByteOffset();
    plan->roots.emplace_back(data, bytes.ByteLength());
  }
}

ScanPlan PlanOf(const Napi::CallbackInfo& info) {
  RequireShape(info, info.Length() == 1 && info[0].IsObject(), kPlanShape);
  auto object = info[0].As<Napi::Object>();
  ScanPlan plan;
  AddRoots(info, object.Get("roots"), &plan);
  AddGlobs(info, object.Get("include"), &plan.include);
  AddGlobs(info, object.Get("exclude"), &plan.exclude);
  const auto number = [&](const char* name) {
    Napi::Value value = object.Get(name);
    RequireShape(info, value.IsNumber() && value.As<Napi::Number>().Int64Value() >= 1, kPlanShape);
    return value.As<Napi::Number>().Uint32Value();
  };
  plan.types = number("types");
  plan.threads = static_cast<int>(number("threads"));
  plan.batch_files = number("batchFiles");
  plan.stat = object.Get("stat").ToBoolean();
  plan.follow = object.Get("follow").ToBoolean();
  Napi::Value skip = object.Get("skip");
  RequireShape(info, skip.IsTypedArray(), kPlanShape);
  RequireShape(info, skip.As<Napi::TypedArray>().TypedArrayType() == napi_biguint64_array, kPlanShape);
  auto pairs = skip.As<Napi::BigUint64Array>();
  for (size_t i = 0; i + 1 < pairs.ElementLength(); i += 2) plan.skip.push_back({pairs[i], pairs[i + 1]});
  std::sort(plan.skip.begin(), plan.skip.end());
  return plan;
}

// Makes the JavaScript form of a batch with raw calls: the first that fails leaves nullptr.
class BatchObject {
 public:
  BatchObject(napi_env env, ScanBatch&& batch) : env_(env) {
    if (napi_create_object(env, &object_) != napi_ok) return;
    napi_value value = nullptr;
    napi_create_uint32(env, static_cast<uint32_t>(batch.count()), &value);
    Set("count", value);
    napi_get_boolean(env, batch.utf8, &value);
    Set("utf8", value);
    SetPaths(std::move(batch.paths));
    SetColumn("types", napi_uint8_array, batch.types);
    SetColumn("size", napi_float64_array, batch.size);
    SetColumn("mtimeNs", napi_bigint64_array, batch.mtime_ns);
    SetColumn("ctimeNs", napi_bigint64_array, batch.ctime_ns);
    SetColumn("dev", napi_biguint64_array, batch.dev);
    SetColumn("ino", napi_biguint64_array, batch.ino);
    SetErrors(batch.errors);
  }
  napi_value value() const { return complete_ ? object_ : nullptr; }

 private:
  void Set(const char* name, napi_value value) {
    complete_ = complete_ && napi_set_named_property(env_, object_, name, value) == napi_ok;
  }

  // Lent, not copied: a copy would also cost the clearing of its target and its page faults.
  void SetPaths(std::string&& paths) {
    if (!complete_ || paths.empty()) return SetColumn("paths", napi_uint8_array, paths);
    auto* owned = new std::string(std::move(paths));
    const auto free = [](napi_env, void*, void* string) { delete static_cast<std::string*>(string); };
    napi_value buffer = nullptr, array = nullptr;
    if (napi_create_external_arraybuffer(env_, owned->data(), owned->size(), free, owned, &buffer) !=
        napi_ok) {
      SetColumn("paths", napi_uint8_array, *owned);  // Electron refuses external buffers
      delete owned;
      return;
    }
    complete_ = napi_create_typedarray(env_, napi_uint8_array, owned->size(), buffer, 0, &array) == napi_ok;
    if (complete_) Set("paths", array);
  }

  template <typename Column>
  void SetColumn(const char* name, napi_typedarray_type type, const Column& column) {
    const size_t bytes = column.size() * sizeof(column[0]);
    void* data = nullptr;
    napi_value buffer = nullptr, array = nullptr;
    complete_ = complete_ && napi_create_arraybuffer(env_, bytes, &data, &buffer) == napi_ok;
    if (!complete_) return;
    if (bytes > 0) std::memcpy(data, column.data(), bytes);
    complete_ = napi_create_typedarray(env_, type, column.size(), buffer, 0, &array) == napi_ok;
    if (complete_) Set(name, array);
  }

  void SetErrors(const std::vector<ScanBatch::Error>& errors) {
    napi_value array = nullptr;
    if (!complete_ || napi_create_array_with_length(env_, errors.size(), &array) != napi_ok) return;
    for (uint32_t i = 0; i < errors.size() && complete_; ++i) {
      napi_handle_scope scope = nullptr;
      napi_value row = nullptr, index = nullptr, code = nullptr, message = nullptr;
      const Status& status = errors[i].status;
      complete_ = napi_open_handle_scope(env_, &scope) == napi_ok;
      if (!complete_) return;
      complete_ =
          napi_create_object(env_, &row) == napi_ok &&
          napi_create_uint32(env_, errors[i].index, &index) == napi_ok &&
          napi_create_string_utf8(env_, status.code.data(), status.code.size(), &code) == napi_ok &&
          napi_create_string_utf8(env_, status.message.data(), status.message.size(), &message) == napi_ok &&
          napi_set_named_property(env_, row, "index", index) == napi_ok &&
          napi_set_named_property(env_, row, "code", code) == napi_ok &&
          napi_set_named_property(env_, row, "message", message) == napi_ok &&
          napi_set_element(env_, array, i, row) == napi_ok;
      napi_close_handle_scope(env_, scope);
    }
    Set("errors", array);
  }

  napi_env env_;
  napi_value object_ = nullptr;
  bool complete_ = true;
};

class NextTask : public Task {
 public:
  explicit NextTask(std::shared_ptr<Walk> walk) : walk_(std::move(walk)) {}
  void Execute() override { status = walk_->Next(&batch_); }
  void Cancel() override { walk_->Cancel(); }
  napi_value Settle(napi_env env) override {
    if (batch_) return BatchObject(env, std::move(*batch_)).value();
    napi_value null = nullptr;
    napi_get_null(env, &null);
    return null;
  }

 private:
  std::shared_ptr<Walk> walk_;
  std::optional<ScanBatch> batch_;
};

// Collected without close(), it ends its walk; a pending next() keeps it.
class ScannerHandle : public Napi::ObjectWrap<ScannerHandle> {
 public:
  explicit ScannerHandle(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<ScannerHandle>(info), walk_(Walk::Start(PlanOf(info))) {}
  ~ScannerHandle() override {
    if (walk_) walk_->Cancel();
  }

  static Napi::Function Class(Napi::Env env) {
    return DefineClass(
        env, "Scanner",
        {InstanceMethod<&ScannerHandle::Next>("next"), InstanceMethod<&ScannerHandle::Close>("close")});
  }

 private:
  // Holds its scanner while the promise is pending.
  class Held : public NextTask {
   public:
    explicit Held(ScannerHandle* scanner) : NextTask(scanner->walk_), scanner_(scanner) { scanner_->Ref(); }
    // Raw: in an environment that goes away it may fail, and a destructor must not throw.
    ~Held() override { napi_reference_unref(scanner_->Env(), *scanner_, nullptr); }

   private:
    ScannerHandle* scanner_;
  };

  // A batch that is there already is handed over without the detour over another thread, which costs three
  // context switches; but not for longer than kTurn on end, for the event loop stands still meanwhile.
  Napi::Value Next(const Napi::CallbackInfo& info) {
    static constexpr auto kTurn = std::chrono::milliseconds(4);
    const auto now = std::chrono::steady_clock::now();
    std::optional<ScanBatch> batch;
    if (now - turn_begun_ > kTurn || !walk_->TryNext(&batch)) {
      turn_begun_ = now;
      return Environment::Of(info.Env()).Start(std::make_unique<Held>(this));
    }
    auto deferred = Napi::Promise::Deferred::New(info.Env());
    if (napi_value value = BatchObject(info.Env(), std::move(*batch)).value()) deferred.Resolve(value);
    return deferred.Promise();
  }
  void Close(const Napi::CallbackInfo&) { walk_->Cancel(); }

  std::shared_ptr<Walk> walk_;
  std::chrono::steady_clock::time_point turn_begun_;  // when a batch last took the detour
};

Napi::Value OpenScanner(const Napi::CallbackInfo& info) {
  RequireShape(info, info.Length() == 1 && info[0].IsObject(), kPlanShape);
  return Environment::Of(info.Env()).scanner_class.New({info[0]});
}

}  // namespace

void RegisterScan(Napi::Env env, Napi::Object exports) {
  Environment::Of(env).scanner_class = Napi::Persistent(ScannerHandle::Class(env));
  exports["openScanner"] = Napi::Function::New(env, OpenScanner, "openScanner");
}

}  // namespace spillway
