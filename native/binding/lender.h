// Lends blocks to JavaScript as ArrayBuffers and takes them back.
//
// A buffer that is released is detached: views of it have length 0 from then on, whatever its block holds
// next. One that is collected without a release gives its block back then. JavaScript thread only.
#pragma once

#include <napi.h>

#include <memory>
#include <unordered_map>

#include "read/block.h"

namespace spillway {

class Lender : public std::enable_shared_from_this<Lender> {
 public:
  // Unless `lend` is set, and where the runtime refuses external buffers (Electron does), it copies.
  Lender(std::shared_ptr<BlockOwner> owner, bool lend) : owner_(std::move(owner)), lend_(lend) {}

  // A Uint8Array over the first `bytes` of the block, or of a copy, and then the block goes back at once.
  // Nullptr where the environment refuses.
  napi_value Lend(napi_env env, Block block, size_t bytes);
  // Keeps a lent buffer out of its owner's count.
  void Retain(napi_env env, napi_value buffer);
  // Harmless when repeated.
  void Release(napi_env env, napi_value buffer);

 private:
  struct Lease {
    Block block;
    bool retained = false;
    std::weak_ptr<Lender> lender;
    std::shared_ptr<BlockOwner> owner;

    void Return();
  };
  using LeasePointer = std::shared_ptr<Lease>;

  static void OnCollected(napi_env, void*, void* lease);

  std::shared_ptr<BlockOwner> owner_;
  const bool lend_;
  std::unordered_map<void*, LeasePointer> lent_;
};

}  // namespace spillway
