#include "binding/tensors.h"

#include <cmath>
#include <cstring>

#include "binding/arguments.h"

namespace spillway {
namespace {

struct ElementKind {
  const char* name;
  ort::ElementType type;
  napi_typedarray_type array;
  size_t bytes;
};

// float16 travels as its bits and bool as 0 and 1: JavaScript of Node 20 has no array for either.
constexpr ElementKind kKinds[] = {
    {"float32", ort::kFloat32, napi_float32_array, 4}, {"float64", ort::kFloat64, napi_float64_array, 8},
    {"float16", ort::kFloat16, napi_uint16_array, 2},  {"int8", ort::kInt8, napi_int8_array, 1},
    {"uint8", ort::kUint8, napi_uint8_array, 1},       {"int16", ort::kInt16, napi_int16_array, 2},
    {"uint16", ort::kUint16, napi_uint16_array, 2},    {"int32", ort::kInt32, napi_int32_array, 4},
    {"uint32", ort::kUint32, napi_uint32_array, 4},    {"int64", ort::kInt64, napi_bigint64_array, 8},
    {"uint64", ort::kUint64, napi_biguint64_array, 8}, {"bool", ort::kBool, napi_uint8_array, 1},
    {"string", ort::kString, napi_uint8_array, 0},
};

const ElementKind* KindOf(ort::ElementType type) {
  for (const ElementKind& kind : kKinds)
    if (kind.type == type) return &kind;
  return nullptr;
}

const ElementKind* KindNamed(const std::string& name) {
  for (const ElementKind& kind : kKinds)
    if (name == kind.name) return &kind;
  return nullptr;
}

// Reads the dimensions and returns their product.
size_t ReadDims(const Napi::CallbackInfo& info, const Napi::Value& value, std::vector<int64_t>* dims) {
  RequireShape(info, value.IsArray(), "an array of dimensions");
  auto array = value.As<Napi::Array>();
  double product = 1;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    Napi::Value item = array[i];
    double size = item.IsNumber() ? item.As<Napi::Number>().DoubleValue() : -1;
    product *= size;
    RequireShape(info, size >= 0 && size == std::floor(size) && product <= 0x1p52,
                 "dimensions that are whole numbers with a sensible product");
    dims->push_back(static_cast<int64_t>(size));
  }
  return static_cast<size_t>(product);
}

void ReadStrings(const Napi::CallbackInfo& info, const Napi::Value& data, size_t elements,
                 InputTensor* input) {
  RequireShape(info, data.IsArray() && data.As<Napi::Array>().Length() == elements,
               "as many strings as the dimensions say");
  auto array = data.As<Napi::Array>();
  for (uint32_t i = 0; i < elements; ++i) {
    Napi::Value item = array[i];
    RequireShape(info, item.IsString(), "strings as the elements of a string tensor");
    input->strings.push_back(item.As<Napi::String>().Utf8Value());
  }
}

void ReadElements(const Napi::CallbackInfo& info, const Napi::Value& data, const ElementKind& kind,
                  size_t elements, InputTensor* input) {
  static double nothing = 0;  // where an empty tensor points
  RequireShape(info, data.IsTypedArray(), "a typed array as the elements of a tensor");
  napi_typedarray_type type;
  size_t length = 0, offset = 0;
  napi_value buffer = nullptr;
  napi_get_typedarray_info(info.Env(), data, &type, &length, &input->data, &buffer, &offset);
  // A detached array has no length, so it only passes as an empty tensor.
  RequireShape(info, type == kind.array && length == elements,
               "an array of the tensor's type with as many elements as the dimensions say");
  input->bytes = elements * kind.bytes;
  if (elements == 0) input->data = &nothing;
}

// Elements of an output, one after another.
struct Range {
  size_t begin, count;
};

napi_value MakeStrings(napi_env env, const OutputTensor& output, Range range) {
  napi_value array = nullptr;
  if (napi_create_array_with_length(env, range.count, &array) != napi_ok) return nullptr;
  for (size_t i = range.begin; i < range.begin + range.count; ++i) {
    size_t end = i + 1 < output.elements ? output.offsets[i + 1] : output.text.size();
    napi_value text = nullptr;
    napi_create_string_utf8(env, output.text.data() + output.offsets[i], end - output.offsets[i], &text);
    napi_set_element(env, array, i - range.begin, text);
  }
  return array;
}

napi_value MakeElements(napi_env env, const ElementKind& kind, const OutputTensor& output, Range range) {
  napi_value buffer = nullptr, array = nullptr;
  void* copy = nullptr;
  const size_t bytes = range.count * kind.bytes;
  const char* from = static_cast<const char*>(output.data) + range.begin * kind.bytes;
  if (napi_create_arraybuffer(env, bytes, &copy, &buffer) != napi_ok) return nullptr;
  if (bytes > 0) std::memcpy(copy, from, bytes);
  if (napi_create_typedarray(env, kind.array, range.count, buffer, 0, &array) != napi_ok) return nullptr;
  return array;
}

// The elements of `range` with the output's dimensions, the first of them `first` where there is one.
napi_value MakeOutput(napi_env env, const OutputTensor& output, Range range, int64_t first) {
  const ElementKind& kind = *KindOf(output.type);
  napi_value tensor = nullptr, type = nullptr, dims = nullptr;
  napi_value data =
      output.type == ort::kString ? MakeStrings(env, output, range) : MakeElements(env, kind, output, range);
  if (!data || napi_create_object(env, &tensor) != napi_ok) return nullptr;
  napi_create_string_utf8(env, kind.name, NAPI_AUTO_LENGTH, &type);
  napi_create_array_with_length(env, output.dims.size(), &dims);
  for (size_t i = 0; i < output.dims.size(); ++i) {
    napi_value size = nullptr;
    napi_create_int64(env, i == 0 ? first : output.dims[i], &size);
    napi_set_element(env, dims, i, size);
  }
  napi_set_named_property(env, tensor, "type", type);
  napi_set_named_property(env, tensor, "dims", dims);
  napi_set_named_property(env, tensor, "data", data);
  return tensor;
}

}  // namespace

const char* ElementTypeName(ort::ElementType type) {
  const ElementKind* kind = KindOf(type);
  return kind ? kind->name : nullptr;
}

std::vector<InputTensor> ReadInputs(const Napi::CallbackInfo& info, const Napi::Array& feeds,
                                    Napi::Array pins) {
  std::vector<InputTensor> inputs;
  for (uint32_t i = 0; i < feeds.Length(); ++i) {
    Napi::Value item = feeds[i];
    RequireShape(info, item.IsObject(), "feeds of the form { name, tensor }");
    Napi::Value name = item.As<Napi::Object>()["name"], value = item.As<Napi::Object>()["tensor"];
    RequireShape(info, name.IsString() && value.IsObject(), "feeds of the form { name, tensor }");
    auto tensor = value.As<Napi::Object>();
    Napi::Value type = tensor["type"], data = tensor["data"];
    const ElementKind* kind = type.IsString() ? KindNamed(type.As<Napi::String>().Utf8Value()) : nullptr;
    RequireShape(info, kind, "the name of an element type");
    InputTensor input{name.As<Napi::String>().Utf8Value(), kind->type, {}, nullptr, 0, {}};
    size_t elements = ReadDims(info, tensor["dims"], &input.dims);
    if (kind->type == ort::kString)
      ReadStrings(info, data, elements, &input);
    else
      ReadElements(info, data, *kind, elements, &input);
    pins[pins.Length()] = data;
    inputs.push_back(std::move(input));
  }
  return inputs;
}

Status CheckOutput(const std::string& name, const OutputTensor& output, int64_t rows) {
  if (!KindOf(output.type))
    return Status::Error("ERR_INVALID_ARGUMENT", "output '" + name + "' has element type " +
                                                     std::to_string(output.type) +
                                                     ", which JavaScript has no array for");
  if (rows == 0 || (!output.dims.empty() && output.dims[0] == rows)) return Status::Ok();
  std::string shape;
  for (int64_t size : output.dims) shape += (shape.empty() ? "" : ",") + std::to_string(size);
  return Status::Error("ERR_MODEL_REJECTED", "expected the output " + name + " to have one row per item (" +
                                                 std::to_string(rows) + ") but its shape is [" + shape +
                                                 "]: the graph cannot be batched");
}

napi_value MakeOutputs(napi_env env, const std::vector<OutputTensor>& outputs, int64_t rows) {
  const size_t parts = rows > 0 ? rows : 1;
  napi_value array = nullptr;
  if (napi_create_array_with_length(env, outputs.size() * parts, &array) != napi_ok) return nullptr;
  uint32_t at = 0;
  for (size_t part = 0; part < parts; ++part) {
    for (const OutputTensor& output : outputs) {
      const size_t count = output.elements / parts;
      const int64_t first = rows > 0 ? 1 : output.dims.empty() ? 0 : output.dims[0];
      napi_value tensor = MakeOutput(env, output, {part * count, count}, first);
      if (!tensor || napi_set_element(env, array, at++, tensor) != napi_ok) return nullptr;
    }
  }
  return array;
}

Napi::Value DescribeValues(Napi::Env env, const std::vector<ValueInfo>& values) {
  auto array = Napi::Array::New(env, values.size());
  for (uint32_t i = 0; i < values.size(); ++i) {
    auto row = Napi::Object::New(env);
    auto dims = Napi::Array::New(env, values[i].dims.size());
    for (uint32_t d = 0; d < values[i].dims.size(); ++d) {
      if (values[i].dims[d] >= 0)
        dims[d] = static_cast<double>(values[i].dims[d]);
      else
        dims[d] = values[i].symbols[d];
    }
    const char* type = ElementTypeName(values[i].type);
    row["name"] = values[i].name;
    row["type"] = type ? Napi::String::New(env, type) : env.Undefined();
    row["dims"] = dims;
    array[i] = row;
  }
  return array;
}

}  // namespace spillway
