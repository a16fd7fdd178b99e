#include "infer/session.h"

#include <unistd.h>

#include "infer/device_errors.h"
#include "infer/library.h"
#include "memory/library_pages.h"
#include "memory/trim.h"

namespace spillway {
namespace {

// Whether a failed creation says that the graph, and not the device, is at fault.
bool BlamesGraph(int code) {
  return code == ort::kInvalidProtobuf || code == ort::kInvalidGraph || code == ort::kNoSuchFile;
}

Status ReadShape(const ort::TensorInfo* info, ort::ElementType* type, std::vector<int64_t>* dims) {
  size_t count = 0;
  RETURN_IF_FAILED(CheckOrt(ort::GetTensorElementType(info, type)));
  RETURN_IF_FAILED(CheckOrt(ort::GetDimensionsCount(info, &count)));
  dims->resize(count);
  return CheckOrt(ort::GetDimensions(info, dims->data(), count));
}

template <typename NameEntry, typename TypeEntry>
Status ReadValueInfo(const ort::Session* session, size_t index, NameEntry get_name, TypeEntry get_type,
                     ValueInfo* value) {
  ort::Allocator* allocator = nullptr;
  char* name = nullptr;
  RETURN_IF_FAILED(CheckOrt(ort::GetAllocatorWithDefaultOptions(&allocator)));
  RETURN_IF_FAILED(CheckOrt(get_name(session, index, allocator, &name)));
  value->name = name;
  RETURN_IF_FAILED(CheckOrt(ort::AllocatorFree(allocator, name)));

  ort::TypeInfo* raw = nullptr;
  RETURN_IF_FAILED(CheckOrt(get_type(session, index, &raw)));
  ort::OwnedTypeInfo type(raw);
  const ort::TensorInfo* tensor = nullptr;  // belongs to `type`
  RETURN_IF_FAILED(CheckOrt(ort::CastTypeInfoToTensorInfo(raw, &tensor)));
  if (!tensor) {
    value->type = ort::kUndefined;
    return Status::Ok();
  }
  RETURN_IF_FAILED(ReadShape(tensor, &value->type, &value->dims));
  std::vector<const char*> symbols(value->dims.size());
  RETURN_IF_FAILED(CheckOrt(ort::GetSymbolicDimensions(tensor, symbols.data(), symbols.size())));
  for (const char* symbol : symbols) value->symbols.emplace_back(symbol ? symbol : "");
  return Status::Ok();
}

Status MakeStrings(const InputTensor& input, ort::Value** value) {
  RETURN_IF_FAILED(CheckOrt(ort::CreateTensorAsOrtValue(ChargingAllocator(), input.dims.data(),
                                                        input.dims.size(), ort::kString, value)));
  std::vector<const char*> pointers;
  for (const std::string& text : input.strings) pointers.push_back(text.c_str());
  return CheckOrt(ort::FillStringTensor(*value, pointers.data(), pointers.size()));
}

Status MakeInput(const InputTensor& input, ort::OwnedValue* owned) {
  ort::Value* value = nullptr;
  Status status = input.type == ort::kString ? MakeStrings(input, &value)
                                             : CheckOrt(ort::CreateTensorWithDataAsOrtValue(
                                                   HostMemory(), input.data, input.bytes, input.dims.data(),
                                                   input.dims.size(), input.type, &value));
  owned->reset(value);
  return status;
}

Status ReadStrings(OutputTensor* output) {
  size_t bytes = 0;
  RETURN_IF_FAILED(CheckOrt(ort::GetStringTensorDataLength(output->value.get(), &bytes)));
  output->text.resize(bytes);
  output->offsets.resize(output->elements);
  if (output->elements == 0) return Status::Ok();
  return CheckOrt(ort::GetStringTensorContent(output->value.get(), output->text.data(), bytes,
                                              output->offsets.data(), output->elements));
}

Status ReadOutput(const std::string& name, OutputTensor* output) {
  auto kind = ort::kTensorValue;
  if (output->value) RETURN_IF_FAILED(CheckOrt(ort::GetValueType(output->value.get(), &kind)));
  if (!output->value || kind != ort::kTensorValue)
    return Status::Error("ERR_INVALID_ARGUMENT", "expected a tensor in output '" + name +
                                                     "' but the graph made a sequence, a map or nothing");
  ort::TensorInfo* raw = nullptr;
  RETURN_IF_FAILED(CheckOrt(ort::GetTensorTypeAndShape(output->value.get(), &raw)));
  ort::OwnedTensorInfo info(raw);
  RETURN_IF_FAILED(ReadShape(raw, &output->type, &output->dims));
  RETURN_IF_FAILED(CheckOrt(ort::GetTensorShapeElementCount(raw, &output->elements)));
  if (output->type == ort::kString) return ReadStrings(output);
  return CheckOrt(ort::GetTensorMutableData(output->value.get(), &output->data));
}

}  // namespace

void TidyAfterSession() {
  DropLibraryPages("libonnxruntime.so");
  TrimHeapSoon();
}

InferSession::~InferSession() {
  if (session_ && !leaving_.granted()) leaving_ = DevicePass::Enter(device_);
}

bool InferSession::Claim() {
  if (!leaving_.granted()) leaving_ = DevicePass::TryEnter(device_);
  return leaving_.granted();
}

Status InferSession::Load(const void* model, size_t bytes, const LoadPlan& plan, const SharedWeights* shared,
                          const std::atomic<bool>& cancelled, std::unique_ptr<InferSession>* out,
                          std::string* device_error) {
  if (cancelled) return Status::Error("ERR_ABORTED", "the load was cancelled");
  std::unique_ptr<InferSession> self(new InferSession(plan.device));
  ort::SessionOptions* raw = nullptr;
  RETURN_IF_FAILED(CheckOrt(ort::CreateSessionOptions(&raw)));
  ort::OwnedSessionOptions options(raw);
  RETURN_IF_FAILED(Configure(plan, &self->memory_, raw));
  if (shared) RETURN_IF_FAILED(shared->AddTo(raw));
  self->profiled_ = !plan.profile.empty();

  AllocationScope scope(ModelsAccount(), self->memory_, &cancelled);
  ort::Session* session = nullptr;
  ort::Environment* environment = InferLibrary::Global().environment();
  DevicePass pass = DevicePass::Enter(plan.device);
  const bool tells = plan.device == "webgpu";  // others must not take what it tells of its own
  if (tells) TakeDeviceError();
  ort::Failure* failure = shared ? ort::CreateSessionFromArrayWithPrepackedWeightsContainer(
                                       environment, model, bytes, raw, shared->container(), &session)
                                 : ort::CreateSessionFromArray(environment, model, bytes, raw, &session);
  if (tells) *device_error = TakeDeviceError();
  pass = {};
  self->session_.reset(session);
  bool blames_graph = !failure || plan.device == "cpu" || BlamesGraph(ort::GetErrorCode(failure));
  Status status = CheckOrt(failure, blames_graph ? "ERR_MODEL_REJECTED" : "ERR_DEVICE_UNAVAILABLE");
  if (!status.ok() && cancelled) return Status::Error("ERR_ABORTED", "the load was cancelled");
  if (!status.ok() && scope.refused) return RefusedStatus("loading the graph", scope.account, scope.refused);
  RETURN_IF_FAILED(status);
  RETURN_IF_FAILED(self->Describe());
  TidyAfterSession();
  *out = std::move(self);
  return Status::Ok();
}

Status InferSession::Describe() {
  size_t inputs = 0, outputs = 0;
  RETURN_IF_FAILED(CheckOrt(ort::SessionGetInputCount(session_.get(), &inputs)));
  RETURN_IF_FAILED(CheckOrt(ort::SessionGetOutputCount(session_.get(), &outputs)));
  inputs_.resize(inputs);
  outputs_.resize(outputs);
  for (size_t i = 0; i < inputs; ++i)
    RETURN_IF_FAILED(ReadValueInfo(session_.get(), i, ort::SessionGetInputName, ort::SessionGetInputTypeInfo,
                                   &inputs_[i]));
  for (size_t i = 0; i < outputs; ++i)
    RETURN_IF_FAILED(ReadValueInfo(session_.get(), i, ort::SessionGetOutputName,
                                   ort::SessionGetOutputTypeInfo, &outputs_[i]));
  return Status::Ok();
}

Status InferSession::Run(std::vector<InputTensor>& inputs, const std::vector<std::string>& output_names,
                         ort::RunOptions* options, const std::atomic<bool>& cancelled,
                         std::vector<OutputTensor>* outputs) {
  std::unique_lock gate(gate_);
  std::shared_lock profiling(profiling_);
  gate.unlock();
  AllocationScope scope(InferAccount(), memory_, &cancelled);
  std::vector<ort::OwnedValue> values(inputs.size());
  std::vector<const ort::Value*> feeds;
  std::vector<const char*> feed_names, fetch_names;
  for (size_t i = 0; i < inputs.size(); ++i) {
    Status status = MakeInput(inputs[i], &values[i]);
    if (!status.ok() && scope.refused) return RefusedStatus("an input", scope.account, scope.refused);
    RETURN_IF_FAILED(status);
    feeds.push_back(values[i].get());
    feed_names.push_back(inputs[i].name.c_str());
  }
  for (const std::string& name : output_names) fetch_names.push_back(name.c_str());
  std::vector<ort::Value*> fetches(output_names.size(), nullptr);

  DevicePass pass = DevicePass::Enter(device_);
  memory_->EnterRun(options);
  ort::Failure* failure = ort::Run(session_.get(), options, feed_names.data(), feeds.data(), feeds.size(),
                                   fetch_names.data(), fetch_names.size(), fetches.data());
  memory_->LeaveRun(options);
  pass = {};
  outputs->resize(fetches.size());
  for (size_t i = 0; i < fetches.size(); ++i) (*outputs)[i].value.reset(fetches[i]);

  if (failure) {
    bool argument = ort::GetErrorCode(failure) == ort::kInvalidArgument;
    Status status = CheckOrt(failure, argument ? "ERR_INVALID_ARGUMENT" : "ERR_ENGINE");
    if (cancelled) return Status::Error("ERR_ABORTED", "the run was cancelled");
    int64_t refused = scope.refused ? scope.refused : memory_->overdrawn.load();
    return refused ? RefusedStatus("the run", scope.account, refused) : status;
  }
  for (size_t i = 0; i < outputs->size(); ++i) RETURN_IF_FAILED(ReadOutput(output_names[i], &(*outputs)[i]));
  return Status::Ok();
}

Status InferSession::EndProfile(std::string* path) {
  std::lock_guard gate(gate_);
  std::unique_lock alone(profiling_);
  if (!profiled_)
    return Status::Error("ERR_INVALID_ARGUMENT", "expected a session with a profile that has not been ended");
  profiled_ = false;
  ort::Allocator* allocator = nullptr;
  char* name = nullptr;
  const DevicePass pass = DevicePass::Enter(device_);
  RETURN_IF_FAILED(CheckOrt(ort::GetAllocatorWithDefaultOptions(&allocator)));
  RETURN_IF_FAILED(CheckOrt(ort::SessionEndProfiling(session_.get(), allocator, &name)));
  *path = name;
  RETURN_IF_FAILED(CheckOrt(ort::AllocatorFree(allocator, name)));
  // ONNX Runtime names a file that it could not open as well.
  if (::access(path->c_str(), R_OK) == 0) return Status::Ok();
  return Status::Error("ERR_ENGINE", "the profile could not be written to " + *path);
}

}  // namespace spillway
