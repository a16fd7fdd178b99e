// Inference, as src/contract/infer.ts types it: opening the library and loading graphs.
#include "binding/arguments.h"
#include "binding/parts.h"
#include "binding/session_handle.h"
#include "infer/library.h"

namespace spillway {
namespace {

class LoadTask : public Task {
 public:
  LoadTask(Environment& environment, const Napi::Uint8Array& model, LoadPlan plan)
      : environment_(environment),
        pin_(Napi::Persistent(static_cast<Napi::Object>(model))),
        model_(model.Data()),
        bytes_(model.ByteLength()),
        plan_(std::move(plan)) {}

  void Execute() override {
    try {
      status = Load();
    } catch (const std::exception& error) {
      status = Status::Error("ERR_ENGINE", error.what());
    }
  }

  void Cancel() override { cancelled_ = true; }

  napi_value Settle(napi_env env) override {
    if (!status.ok()) return nullptr;
    napi_value handle = nullptr;
    void* wrapped = nullptr;
    if (napi_new_instance(env, environment_.session_class.Value(), 0, nullptr, &handle) != napi_ok ||
        napi_unwrap(env, handle, &wrapped) != napi_ok)
      return nullptr;
    static_cast<SessionHandle*>(wrapped)->Adopt(
        std::move(session_), std::make_shared<RunQueue>(plan_.concurrency, plan_.device, plan_.threads),
        environment_.background);
    return handle;
  }

 private:
  Status Load() {
    std::shared_ptr<SharedWeights> shared;  // before the session
    std::unique_ptr<InferSession> session;
    ModelTable::Global().AwaitReleased(plan_.device, cancelled_);
    RETURN_IF_FAILED(SharedWeights::Take(plan_.shared_weights, model_, &shared));
    std::string device_error;
    const Status loaded =
        InferSession::Load(model_, bytes_, plan_, shared.get(), cancelled_, &session, &device_error);
    if (!device_error.empty()) {
      session.reset();
      ModelTable::Global().ReleaseDevice(plan_.device);
      const bool memory = device_error.find("OUT_OF_DEVICE_MEMORY") != std::string::npos ||
                          device_error.find("OUT_OF_HOST_MEMORY") != std::string::npos;
      return Status::Error(memory ? "ERR_OUT_OF_MEMORY" : "ERR_DEVICE_UNAVAILABLE", device_error);
    }
    RETURN_IF_FAILED(loaded);
    return GraphSession::Make(std::move(session), std::move(shared), plan_, &session_);
  }

  Environment& environment_;
  Napi::ObjectReference pin_;
  const uint8_t* const model_;
  const size_t bytes_;
  const LoadPlan plan_;
  std::atomic<bool> cancelled_{false};
  std::unique_ptr<GraphSession> session_;
};

Napi::Value Open(const Napi::CallbackInfo& info) {
  InferLibrary& library = InferLibrary::Global();
  Status status = library.Open(StringArgument(info, 0, "the path of the library"));
  if (!status.ok()) Environment::Of(info.Env()).Throw(status);
  auto result = Napi::Object::New(info.Env());
  result["version"] = library.version();
  result["path"] = library.path();
  result["reused"] = library.reused();
  return result;
}

// Calls `read` with each object of a list.
template <typename Read>
void ForEachObject(const Napi::CallbackInfo& info, const Napi::Value& value, const char* expected,
                   Read read) {
  RequireShape(info, value.IsArray(), expected);
  auto list = value.As<Napi::Array>();
  for (uint32_t i = 0; i < list.Length(); ++i) {
    Napi::Value item = list[i];
    RequireShape(info, item.IsObject(), expected);
    read(item.As<Napi::Object>());
  }
}

SharedTensor ReadSharedTensor(const Napi::CallbackInfo& info, const Napi::Object& item, size_t graph_bytes) {
  const char* expected = "tensors of the form { name, typeNumber, dims, offset, bytes } within the graph";
  Napi::Value name = item["name"], type = item["typeNumber"], dims = item["dims"], offset = item["offset"],
              bytes = item["bytes"];
  RequireShape(info,
               name.IsString() && type.IsNumber() && dims.IsArray() && offset.IsNumber() && bytes.IsNumber(),
               expected);
  SharedTensor tensor;
  tensor.name = name.As<Napi::String>();
  tensor.type = static_cast<ort::ElementType>(type.As<Napi::Number>().Int32Value());
  auto sizes = dims.As<Napi::Array>();
  for (uint32_t i = 0; i < sizes.Length(); ++i) {
    Napi::Value size = sizes[i];
    RequireShape(info, size.IsNumber(), expected);
    tensor.dims.push_back(size.As<Napi::Number>().Int64Value());
  }
  const int64_t from = offset.As<Napi::Number>().Int64Value(), length = bytes.As<Napi::Number>().Int64Value();
  const auto whole = static_cast<int64_t>(graph_bytes);
  RequireShape(info, from >= 0 && length > 0 && from <= whole && length <= whole - from, expected);
  tensor.offset = static_cast<size_t>(from);
  tensor.bytes = static_cast<size_t>(length);
  return tensor;
}

// Undefined where the session shares nothing.
void ReadSharedWeights(const Napi::CallbackInfo& info, const Napi::Value& value, size_t graph_bytes,
                       SharedWeightsPlan* plan) {
  if (value.IsUndefined()) return;
  const char* expected = "shared weights of the form { key, tensors, packedBytes }";
  RequireShape(info, value.IsObject(), expected);
  auto shared = value.As<Napi::Object>();
  Napi::Value key = shared["key"], packed = shared["packedBytes"];
  RequireShape(info, key.IsString() && packed.IsNumber(), expected);
  plan->key = key.As<Napi::String>();
  plan->packed_bytes = packed.As<Napi::Number>().Int64Value();
  ForEachObject(info, shared["tensors"], expected, [&](const Napi::Object& item) {
    plan->tensors.push_back(ReadSharedTensor(info, item, graph_bytes));
  });
}

LoadPlan ReadPlan(const Napi::CallbackInfo& info, const Napi::Object& options) {
  Napi::Value device = options["device"], threads = options["threads"], profile = options["profile"],
              concurrency = options["concurrency"], weights = options["weightBytes"],
              structure = options["structureBytes"];
  RequireShape(info,
               device.IsString() && threads.IsNumber() && concurrency.IsNumber() && profile.IsString() &&
                   weights.IsNumber() && structure.IsNumber(),
               "a plan of final values");
  LoadPlan plan;
  plan.device = device.As<Napi::String>();
  plan.threads = threads.As<Napi::Number>().Int32Value();
  plan.concurrency = concurrency.As<Napi::Number>().Int32Value();
  plan.profile = profile.As<Napi::String>();
  plan.weight_bytes = weights.As<Napi::Number>().Int64Value();
  plan.structure_bytes = structure.As<Napi::Number>().Int64Value();
  const char* dimensions = "free dimensions of the form { name, size }";
  ForEachObject(info, options["freeDimensions"], dimensions, [&](const Napi::Object& item) {
    Napi::Value name = item["name"], size = item["size"];
    RequireShape(info, name.IsString() && size.IsNumber(), dimensions);
    plan.free_dimensions.emplace_back(name.As<Napi::String>().Utf8Value(),
                                      size.As<Napi::Number>().Int64Value());
  });
  const char* libraries = "operator libraries of the form { path, sha256 }";
  ForEachObject(info, options["operatorLibraries"], libraries, [&](const Napi::Object& item) {
    Napi::Value path = item["path"], sha256 = item["sha256"];
    RequireShape(info, path.IsString() && sha256.IsString(), libraries);
    plan.operator_libraries.push_back({path.As<Napi::String>(), sha256.As<Napi::String>()});
  });
  Napi::Value optimise = options["optimise"], optimised_path = options["optimisedPath"];
  RequireShape(info, optimise.IsBoolean() && optimised_path.IsString(), "whether and where to optimise");
  plan.optimise = optimise.As<Napi::Boolean>();
  plan.optimised_path = optimised_path.As<Napi::String>();
  RequireShape(info, plan.threads >= 1 && plan.concurrency >= 1, "at least one thread and one run");
  RequireShape(info, plan.device == "cpu" || plan.device == "cuda" || plan.device == "webgpu",
               "'cpu', 'cuda' or 'webgpu' as the device");
  return plan;
}

Napi::Value Load(const Napi::CallbackInfo& info) {
  RequireShape(info, InferLibrary::Global().is_open(), "open() before load()");
  RequireShape(info, info.Length() == 2 && info[0].IsTypedArray() && info[1].IsObject(),
               "a graph and a plan");
  auto model = info[0].As<Napi::Uint8Array>();
  RequireShape(info, model.TypedArrayType() == napi_uint8_array, "the bytes of a graph");
  auto options = info[1].As<Napi::Object>();
  LoadPlan plan = ReadPlan(info, options);
  ReadSharedWeights(info, options["sharedWeights"], model.ByteLength(), &plan.shared_weights);
  Environment& environment = Environment::Of(info.Env());
  return environment.Start(std::make_unique<LoadTask>(environment, model, std::move(plan)));
}

}  // namespace

void RegisterInfer(Napi::Env env, Napi::Object exports) {
  Environment::Of(env).session_class = Napi::Persistent(SessionHandle::Define(env));
  auto infer = Napi::Object::New(env);
  infer["open"] = Napi::Function::New(env, Open, "open");
  infer["load"] = Napi::Function::New(env, Load, "load");
  exports["infer"] = infer;
}

}  // namespace spillway
