#include "infer/session_options.h"

#include <system_error>
#include <thread>

#include "core/slice.h"
#include "infer/library.h"

namespace spillway {
namespace {

// The session's own pool, made by us so that each thread knows the session it allocates for.
void* CreatePoolThread(void* options, void (*work)(void*), void* argument) {
  auto memory = *static_cast<std::shared_ptr<SessionMemory>*>(options);
  try {
    return new std::thread([memory = std::move(memory), work, argument] {
      const LongSlices slices;
      JoinSessionPool(memory);
      work(argument);
    });
  } catch (const std::exception&) {
    return nullptr;  // ONNX Runtime turns it into a status
  }
}

void JoinPoolThread(void* handle) {
  std::unique_ptr<std::thread> thread(static_cast<std::thread*>(handle));
  thread->join();
}

Status AppendCuda(ort::SessionOptions* options) {
  ort::CudaOptions* raw = nullptr;
  RETURN_IF_FAILED(CheckOrt(ort::CreateCUDAProviderOptions(&raw), "ERR_DEVICE_UNAVAILABLE"));
  ort::OwnedCudaOptions cuda(raw);
  const char* keys[] = {"device_id", "arena_extend_strategy"};
  const char* values[] = {"0", "kSameAsRequested"};
  RETURN_IF_FAILED(CheckOrt(ort::UpdateCUDAProviderOptions(raw, keys, values, 2), "ERR_DEVICE_UNAVAILABLE"));
  return CheckOrt(ort::SessionOptionsAppendExecutionProvider_CUDA_V2(options, raw), "ERR_DEVICE_UNAVAILABLE");
}

Status AppendDevice(const std::string& device, ort::SessionOptions* options) {
  if (device == "cuda") return AppendCuda(options);
  if (device == "webgpu")
    return CheckOrt(ort::SessionOptionsAppendExecutionProvider(options, "WebGPU", nullptr, nullptr, 0),
                    "ERR_DEVICE_UNAVAILABLE");
  return Status::Ok();
}

}  // namespace

Status Configure(const LoadPlan& plan, std::shared_ptr<SessionMemory>* memory, ort::SessionOptions* options) {
  const std::pair<const char*, const char*> entries[] = {
      {"session.use_env_allocators", "1"},
      // The pool spins between the nodes of a run, where to sleep and wake costs more (attention in batches
      // of 16 takes 12 % less time and no more of the processor's), and never once no run is going on.
      {"session.intra_op.allow_spinning", "1"},
      {"session.intra_op.spin_duration_us", "20"},
      {"session.force_spinning_stop", "1"},
      {"session.inter_op.allow_spinning", "0"},
      // Graphs are complete when they come here: data is looked for below what is no folder.
      {"session.model_external_initializers_file_folder_path", "/dev/null"},
  };
  for (auto [key, value] : entries)
    RETURN_IF_FAILED(CheckOrt(ort::AddSessionConfigEntry(options, key, value)));
  RETURN_IF_FAILED(CheckOrt(ort::SetSessionExecutionMode(options, ort::kSequential)));
  const auto level = plan.optimise ? ort::kAllOptimizations : ort::kNoOptimizations;
  RETURN_IF_FAILED(CheckOrt(ort::SetSessionGraphOptimizationLevel(options, level)));
  if (!plan.optimised_path.empty())
    RETURN_IF_FAILED(CheckOrt(ort::SetOptimizedModelFilePath(options, plan.optimised_path.c_str())));
  RETURN_IF_FAILED(CheckOrt(ort::SetSessionLogSeverityLevel(options, ort::kFatal)));
  RETURN_IF_FAILED(CheckOrt(ort::SetIntraOpNumThreads(options, plan.threads)));
  RETURN_IF_FAILED(CheckOrt(ort::SetInterOpNumThreads(options, 1)));
  for (const auto& [name, size] : plan.free_dimensions)
    RETURN_IF_FAILED(CheckOrt(ort::AddFreeDimensionOverrideByName(options, name.c_str(), size)));
  if (!plan.profile.empty()) RETURN_IF_FAILED(CheckOrt(ort::EnableProfiling(options, plan.profile.c_str())));
  // No arena, no planned block per shape: what a run took is given back when the run ends.
  RETURN_IF_FAILED(CheckOrt(ort::DisableCpuMemArena(options)));
  RETURN_IF_FAILED(CheckOrt(ort::DisableMemPattern(options)));
  RETURN_IF_FAILED(CheckOrt(ort::SessionOptionsSetCustomCreateThreadFn(options, CreatePoolThread)));
  RETURN_IF_FAILED(CheckOrt(ort::SessionOptionsSetCustomThreadCreationOptions(options, memory)));
  RETURN_IF_FAILED(CheckOrt(ort::SessionOptionsSetCustomJoinThreadFn(options, JoinPoolThread)));
  for (const OperatorLibrary& library : plan.operator_libraries)
    RETURN_IF_FAILED(RegisterOperators(library, options));
  return AppendDevice(plan.device, options);
}

}  // namespace spillway
