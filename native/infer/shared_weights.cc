#include "infer/shared_weights.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <unordered_map>

#include "core/never_destroyed.h"
#include "infer/allocator.h"
#include "infer/library.h"

namespace spillway {
namespace {

constexpr size_t kAlignment = 64;  // what ONNX Runtime's own CPU allocator guarantees (AVX-512)

size_t RoundUp(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

struct Table {
  std::mutex mutex;
  std::unordered_map<std::string, std::weak_ptr<SharedWeights>> weights;
};

Table& Global() {
  static NeverDestroyed<Table> table;
  return *table;
}

}  // namespace

Status SharedWeights::Take(const SharedWeightsPlan& plan, const uint8_t* graph,
                           std::shared_ptr<SharedWeights>* out) {
  if (plan.tensors.empty()) return Status::Ok();
  std::shared_ptr<SharedWeights> weights;
  {
    Table& table = Global();
    std::lock_guard lock(table.mutex);
    std::erase_if(table.weights, [](const auto& entry) { return entry.second.expired(); });
    std::weak_ptr<SharedWeights>& known = table.weights[plan.key];
    weights = known.lock();
    if (!weights) known = weights = std::make_shared<SharedWeights>();
  }
  RETURN_IF_FAILED(weights->Make(plan, graph));
  *out = std::move(weights);
  return Status::Ok();
}

int64_t SharedWeights::Drop(std::shared_ptr<SharedWeights> weights, const void* sharer) {
  if (!weights) return 0;
  std::unique_lock lock(Global().mutex);
  std::erase(weights->sharers_, sharer);
  // Nobody can take them at this moment, so whoever sees no other is the last.
  const int64_t credited = weights.use_count() == 1 ? weights->charged_ : 0;
  std::shared_ptr<SharedWeights> last = credited ? std::move(weights) : nullptr;
  weights.reset();
  lock.unlock();
  return credited;
}

void SharedWeights::Free::operator()(uint8_t* block) const { std::free(block); }

Status SharedWeights::Make(const SharedWeightsPlan& plan, const uint8_t* graph) {
  std::lock_guard lock(making_);
  if (charged_ > 0) return Status::Ok();
  size_t copied = 0;
  for (const SharedTensor& tensor : plan.tensors) copied += RoundUp(tensor.bytes);
  const int64_t bytes = static_cast<int64_t>(copied) + plan.packed_bytes;
  if (!Ledger::Global().Charge(ModelsAccount(), bytes))
    return RefusedStatus("sharing the weights", ModelsAccount(), bytes);
  charged_ = bytes;
  Status status;
  try {
    status = Copy(plan, graph, copied);
  } catch (const std::bad_alloc&) {
    status = Status::Error("ERR_OUT_OF_MEMORY", "the system has no memory for the weights that are shared");
  }
  if (!status.ok()) Clear();
  return status;
}

Status SharedWeights::Copy(const SharedWeightsPlan& plan, const uint8_t* graph, size_t bytes) {
  block_.reset(static_cast<uint8_t*>(std::aligned_alloc(kAlignment, bytes)));
  if (!block_)
    return Status::Error("ERR_OUT_OF_MEMORY", "the system has no " + std::to_string(bytes) +
                                                  " bytes for the weights that are shared");
  ort::PrepackedWeights* container = nullptr;
  RETURN_IF_FAILED(CheckOrt(ort::CreatePrepackedWeightsContainer(&container)));
  container_.reset(container);
  uint8_t* at = block_.get();
  for (const SharedTensor& tensor : plan.tensors) {
    std::memcpy(at, graph + tensor.offset, tensor.bytes);
    ort::Value* value = nullptr;
    RETURN_IF_FAILED(CheckOrt(ort::CreateTensorWithDataAsOrtValue(
        HostMemory(), at, tensor.bytes, tensor.dims.data(), tensor.dims.size(), tensor.type, &value)));
    values_.emplace_back(value);
    names_.push_back(tensor.name);
    at += RoundUp(tensor.bytes);
  }
  return Status::Ok();
}

SharedWeights::~SharedWeights() { Clear(); }

void SharedWeights::Clear() {
  container_.reset();
  values_.clear();
  names_.clear();
  block_.reset();
  Ledger::Global().Credit(ModelsAccount(), charged_);
  charged_ = 0;
}

Status SharedWeights::AddTo(ort::SessionOptions* options) const {
  for (size_t i = 0; i < names_.size(); ++i)
    RETURN_IF_FAILED(CheckOrt(ort::AddInitializer(options, names_[i].c_str(), values_[i].get())));
  return Status::Ok();
}

void SharedWeights::Join(const void* sharer) {
  std::lock_guard lock(Global().mutex);
  sharers_.push_back(sharer);
}

int64_t SharedWeights::BytesOf(const void* sharer) const {
  std::lock_guard lock(Global().mutex);
  return !sharers_.empty() && sharers_.front() == sharer ? charged_ : 0;
}

}  // namespace spillway
