// A library of custom operators, for tests: `Tripled` of the domain `test.spillway` gives three times its input, a
// float32 vector. Layout of the operator: onnxruntime_c_api.h, OrtCustomOp, as far as version 10 has it.
#include "infer/ort_api.h"

namespace spillway::ort {
const void* const* table = nullptr;

struct CustomOp;
struct CustomOpDomain;
struct KernelContext;
inline constexpr Entry<26, Failure*(const char* name, CustomOpDomain**)> CreateCustomOpDomain;
inline constexpr Entry<27, Failure*(CustomOpDomain*, const CustomOp*)> CustomOpDomain_Add;
inline constexpr Entry<28, Failure*(SessionOptions*, CustomOpDomain*)> AddCustomOpDomain;
inline constexpr Entry<90, Failure*(const KernelContext*, size_t, const Value**)> KernelContext_GetInput;
inline constexpr Entry<91, Failure*(KernelContext*, size_t, const int64_t*, size_t, Value**)>
    KernelContext_GetOutput;

struct CustomOp {
  uint32_t version;
  void* (*CreateKernel)(const CustomOp*, const void* api, const void* info);
  const char* (*GetName)(const CustomOp*);
  const char* (*GetExecutionProviderType)(const CustomOp*);
  ElementType (*GetInputType)(const CustomOp*, size_t);
  size_t (*GetInputTypeCount)(const CustomOp*);
  ElementType (*GetOutputType)(const CustomOp*, size_t);
  size_t (*GetOutputTypeCount)(const CustomOp*);
  void (*KernelCompute)(void* kernel, KernelContext*);
  void (*KernelDestroy)(void* kernel);
  int (*GetInputCharacteristic)(const CustomOp*, size_t);
  int (*GetOutputCharacteristic)(const CustomOp*, size_t);
};
}  // namespace spillway::ort

namespace {
using namespace spillway::ort;

constexpr int kRequired = 0;

void Triple(void*, KernelContext* context) {
  const Value* input = nullptr;
  Value* output = nullptr;
  TensorInfo* info = nullptr;
  void *from = nullptr, *to = nullptr;
  int64_t elements = 0;
  KernelContext_GetInput(context, 0, &input);
  GetTensorTypeAndShape(input, &info);
  GetDimensions(info, &elements, 1);
  ReleaseTensorTypeAndShapeInfo(info);
  KernelContext_GetOutput(context, 0, &elements, 1, &output);
  GetTensorMutableData(const_cast<Value*>(input), &from);
  GetTensorMutableData(output, &to);
  for (int64_t i = 0; i < elements; ++i) static_cast<float*>(to)[i] = 3 * static_cast<float*>(from)[i];
}

const CustomOp tripled = {
    10,
    [](const CustomOp*, const void*, const void*) -> void* { return &table; },
    [](const CustomOp*) { return "Tripled"; },
    [](const CustomOp*) -> const char* { return nullptr; },
    [](const CustomOp*, size_t) { return kFloat32; },
    [](const CustomOp*) { return size_t{1}; },
    [](const CustomOp*, size_t) { return kFloat32; },
    [](const CustomOp*) { return size_t{1}; },
    Triple,
    [](void*) {},
    [](const CustomOp*, size_t) { return kRequired; },
    [](const CustomOp*, size_t) { return kRequired; },
};
}  // namespace

struct ApiBase {
  const void* const* (*GetApi)(uint32_t version);
};

extern "C" Failure* RegisterCustomOps(SessionOptions* options, const ApiBase* base) {
  table = base->GetApi(kVersion);
  static CustomOpDomain* domain = nullptr;
  if (!domain) {
    if (Failure* failure = CreateCustomOpDomain("test.spillway", &domain)) return failure;
    if (Failure* failure = CustomOpDomain_Add(domain, &tripled)) return failure;
  }
  return AddCustomOpDomain(options, domain);
}
