// How a graph is loaded, told to ONNX Runtime.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/status.h"
#include "infer/allocator.h"
#include "infer/operator_library.h"
#include "infer/ort_api.h"
#include "infer/shared_weights.h"

namespace spillway {

struct LoadPlan {
  std::string device;  // "cpu", "cuda" or "webgpu"
  int threads;
  int concurrency;  // runs at a time
  std::vector<std::pair<std::string, int64_t>> free_dimensions;
  std::string profile;  // how the path of the profile begins; empty for none
  std::vector<OperatorLibrary> operator_libraries;
  bool optimise;               // false for a graph that has been optimised
  std::string optimised_path;  // where the optimised graph is written; empty for nowhere
  // What the session keeps where we do not see it: constants, where kernels do not pack them, and nodes.
  int64_t weight_bytes, structure_bytes;
  SharedWeightsPlan shared_weights;  // their bytes are not in the former
};

// Sets all of `plan` but what is the caller's to keep: how many runs happen at a time. `*memory` must outlive
// the session: the threads of its pool allocate for it.
Status Configure(const LoadPlan& plan, std::shared_ptr<SessionMemory>* memory, ort::SessionOptions* options);

}  // namespace spillway
