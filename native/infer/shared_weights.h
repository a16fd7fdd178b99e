// Weights that all sessions of one graph in this process have in common.
//
// ONNX Runtime lets sessions share the initialisers that are given to it (AddInitializer), and what kernels
// pack of those, in a container. So there is one copy of them for each graph, known by its content, and one
// container; both live until the last session of the graph is gone. Packed weights are allocated by the
// container itself, out of sight: they are charged by the bytes they are packed from.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/status.h"
#include "infer/ort_api.h"

namespace spillway {

// An initialiser, by where its bytes lie in the graph.
struct SharedTensor {
  std::string name;
  ort::ElementType type;
  std::vector<int64_t> dims;
  size_t offset, bytes;
};

struct SharedWeightsPlan {
  std::string key;  // names the graph by its content
  std::vector<SharedTensor> tensors;
  int64_t packed_bytes = 0;  // what kernels pack of them
};

class SharedWeights {
 public:
  // Those of the graph, which are made where there are none; null in `out` where nothing is to be shared.
  // ERR_OUT_OF_MEMORY where the ledger refuses. Tensors must lie within the graph.
  static Status Take(const SharedWeightsPlan& plan, const uint8_t* graph,
                     std::shared_ptr<SharedWeights>* out);
  // Lets go of them, once the session of `sharer` is gone; returns what was credited, which is nothing unless
  // it was the last.
  static int64_t Drop(std::shared_ptr<SharedWeights> weights, const void* sharer);

  // Use Take().
  SharedWeights() = default;
  ~SharedWeights();
  SharedWeights(const SharedWeights&) = delete;
  SharedWeights& operator=(const SharedWeights&) = delete;

  // Has a session take these in place of its own.
  Status AddTo(ort::SessionOptions* options) const;
  ort::PrepackedWeights* container() const { return container_.get(); }

  // One more session of the graph is loaded: `sharer` names it until Drop().
  void Join(const void* sharer);
  // Their bytes for the one sharer that they are counted with, the oldest; 0 for the others.
  int64_t BytesOf(const void* sharer) const;

 private:
  struct Free {
    void operator()(uint8_t* block) const;
  };

  // Makes them unless that has been done; who loads the same graph meanwhile waits for it.
  Status Make(const SharedWeightsPlan& plan, const uint8_t* graph);
  Status Copy(const SharedWeightsPlan& plan, const uint8_t* graph, size_t bytes);
  void Clear();

  std::mutex making_;    // guards the next five, which are constant once they are made
  int64_t charged_ = 0;  // 0 until then
  std::unique_ptr<uint8_t, Free> block_;
  std::vector<std::string> names_;
  std::vector<ort::OwnedValue> values_;  // over the block
  ort::OwnedPrepackedWeights container_;
  std::vector<const void*> sharers_;  // of those that are made; guarded by the lock of the table
};

}  // namespace spillway
