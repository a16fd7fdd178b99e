// What the readers of src/contract/read.ts have in common: next, retain, release, close.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "binding/arguments.h"
#include "binding/lender.h"

namespace spillway {

// `Self` wraps a `Reader` that delivers `Item`s, and has `napi_value Make(napi_env, Item)`, which returns
// nullptr where the environment refuses. Collected without close(), it ends its reader.
template <typename Self, typename Reader, typename Item>
class ReaderHandle : public Napi::ObjectWrap<Self> {
 public:
  ReaderHandle(const Napi::CallbackInfo& info, std::shared_ptr<Reader> reader, bool lend)
      : Napi::ObjectWrap<Self>(info),
        reader_(std::move(reader)),
        lender_(std::make_shared<Lender>(reader_, lend)) {}
  ~ReaderHandle() override { reader_->Cancel(); }

  // A delivery that is there already is handed over at once; but not for longer than kTurn on end, for
  // promises that resolve at once keep the event loop from turning.
  Napi::Value Next(const Napi::CallbackInfo& info) {
    static constexpr auto kTurn = std::chrono::milliseconds(4);
    Environment& environment = Environment::Of(info.Env());
    RequireShape(info, !pending_, "one call of next() at a time");
    const auto now = std::chrono::steady_clock::now();
    std::optional<Item> item;
    Status status;
    if (now - turn_begun_ > kTurn || !reader_->TryTake(&item, &status)) {
      turn_begun_ = now;
      return environment.Await(std::make_unique<NextTask>(static_cast<Self*>(this)));
    }
    auto deferred = Napi::Promise::Deferred::New(info.Env());
    if (!status.ok())
      deferred.Reject(environment.MakeError(status));
    else if (napi_value value = Deliver(info.Env(), std::move(item)))
      deferred.Resolve(value);
    return deferred.Promise();
  }

  void Retain(const Napi::CallbackInfo& info) { lender_->Retain(info.Env(), Buffer(info)); }
  void Release(const Napi::CallbackInfo& info) { lender_->Release(info.Env(), Buffer(info)); }
  void Close(const Napi::CallbackInfo&) { reader_->Cancel(); }

 protected:
  Reader& reader() { return *reader_; }
  Lender& lender() { return *lender_; }

 private:
  // Holds its handle while the promise is pending.
  class NextTask : public Task, public Waiter {
   public:
    explicit NextTask(Self* handle) : handle_(handle), environment_(Environment::Of(handle->Env())) {
      handle_->Ref();
      handle_->pending_ = true;
    }
    // Raw: in an environment that goes away it may fail, and a destructor must not throw.
    ~NextTask() override { napi_reference_unref(handle_->Env(), *handle_, nullptr); }

    void Execute() override { handle_->reader_->Wait(this); }
    void Cancel() override { handle_->reader_->Cancel(); }
    void Ready() override { environment_.Finish(this); }
    napi_value Settle(napi_env env) override {
      handle_->pending_ = false;
      std::optional<Item> item;
      handle_->reader_->TryTake(&item, &status);
      return status.ok() ? handle_->Deliver(env, std::move(item)) : nullptr;
    }

   private:
    Self* handle_;
    Environment& environment_;
  };

  napi_value Deliver(napi_env env, std::optional<Item> item) {
    if (item) return static_cast<Self*>(this)->Make(env, std::move(*item));
    napi_value null = nullptr;
    napi_get_null(env, &null);
    return null;
  }

  Napi::Value Buffer(const Napi::CallbackInfo& info) {
    RequireShape(info, info.Length() == 1 && info[0].IsArrayBuffer(), "the buffer of a delivery");
    return info[0];
  }

  std::shared_ptr<Reader> reader_;
  std::shared_ptr<Lender> lender_;
  bool pending_ = false;
  std::chrono::steady_clock::time_point turn_begun_;  // when a delivery last took the detour
};

}  // namespace spillway
