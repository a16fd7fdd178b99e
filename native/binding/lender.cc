#include "binding/lender.h"

#include <cstring>

namespace spillway {
namespace {

napi_value BytesOf(napi_env env, napi_value buffer, size_t bytes) {
  napi_value array = nullptr;
  napi_create_typedarray(env, napi_uint8_array, bytes, buffer, 0, &array);
  return array;
}

void* DataOf(napi_env env, napi_value buffer) {
  void* data = nullptr;
  size_t bytes;
  napi_get_arraybuffer_info(env, buffer, &data, &bytes);
  return data;
}

}  // namespace

void Lender::Lease::Return() {
  if (block) owner->GiveBack(std::move(block), retained);
}

napi_value Lender::Lend(napi_env env, Block block, size_t bytes) {
  napi_value buffer = nullptr;
  char* data = block.data();
  auto lease = std::make_shared<Lease>();
  lease->block = std::move(block);
  lease->lender = weak_from_this();
  lease->owner = owner_;
  auto* held = new LeasePointer(lease);
  napi_status status = napi_no_external_buffers_allowed;
  if (lend_ && data) status = napi_create_external_arraybuffer(env, data, bytes, OnCollected, held, &buffer);
  if (status == napi_ok) {
    lent_[data] = std::move(lease);
    return BytesOf(env, buffer, bytes);
  }
  delete held;
  void* copy = nullptr;
  const bool made = napi_create_arraybuffer(env, bytes, &copy, &buffer) == napi_ok;
  if (made && bytes > 0) std::memcpy(copy, data, bytes);
  lease->Return();
  return made ? BytesOf(env, buffer, bytes) : nullptr;
}

// The block may have been lent again meanwhile: collection comes some time after the detachment.
void Lender::OnCollected(napi_env, void*, void* data) {
  std::unique_ptr<LeasePointer> held(static_cast<LeasePointer*>(data));
  Lease& lease = **held;
  if (!lease.block) return;
  if (auto lender = lease.lender.lock()) lender->lent_.erase(lease.block.data());
  lease.Return();
}

void Lender::Retain(napi_env env, napi_value buffer) {
  auto found = lent_.find(DataOf(env, buffer));
  if (found == lent_.end() || found->second->retained) return;
  found->second->retained = true;
  owner_->Retained();
}

void Lender::Release(napi_env env, napi_value buffer) {
  auto lent = lent_.extract(DataOf(env, buffer));
  napi_detach_arraybuffer(env, buffer);
  if (lent) lent.mapped()->Return();
}

}  // namespace spillway
