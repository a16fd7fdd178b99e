// Fused preprocessing, as src/contract/gpu.ts types it.
#include "binding/arguments.h"
#include "binding/gpu_binding.h"
#include "binding/gpu_task.h"
#include "gpu/preprocess.h"

namespace spillway {
namespace {

constexpr int kOnCpu = -1;
constexpr int64_t kMaxImages = 65535,
                  kMaxSide = 1 << 20;  // a grid's depth; sides that no arithmetic overflows

int64_t IntegerProperty(const Napi::CallbackInfo& info, const Napi::Object& from, const char* name,
                        int64_t least, int64_t most) {
  Napi::Value value = from[name];
  RequireShape(info, value.IsNumber(), "an object of final values");
  const int64_t number = value.As<Napi::Number>().Int64Value();
  RequireShape(info, number >= least && number <= most, name);
  return number;
}

bool FlagProperty(const Napi::CallbackInfo& info, const Napi::Object& from, const char* name) {
  Napi::Value value = from[name];
  RequireShape(info, value.IsBoolean(), "an object of final values");
  return value.As<Napi::Boolean>();
}

void ReadFactors(const Napi::CallbackInfo& info, const Napi::Object& from, const char* name,
                 float (&factors)[3]) {
  Napi::Value value = from[name];
  RequireShape(info, value.IsArray() && value.As<Napi::Array>().Length() == 3, "three factors");
  for (uint32_t i = 0; i < 3; ++i) {
    Napi::Value factor = value.As<Napi::Array>()[i];
    RequireShape(info, factor.IsNumber(), "three factors");
    factors[i] = factor.As<Napi::Number>().FloatValue();
  }
}

PreprocessImage ReadImage(const Napi::CallbackInfo& info, const Napi::Value& value, int channels) {
  RequireShape(info, value.IsObject(), "images");
  auto object = value.As<Napi::Object>();
  Napi::Value data = object["data"];
  RequireShape(info, data.IsTypedArray() && data.As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array,
               "the bytes of an image");
  auto bytes = data.As<Napi::Uint8Array>();
  PreprocessImage image{};
  image.pixels = bytes.Data();
  image.width = static_cast<int32_t>(IntegerProperty(info, object, "width", 1, kMaxSide));
  image.height = static_cast<int32_t>(IntegerProperty(info, object, "height", 1, kMaxSide));
  const int64_t used = int64_t{image.width} * channels;
  image.row_bytes = IntegerProperty(info, object, "rowBytes", used, INT32_MAX);
  RequireShape(info, static_cast<int64_t>(bytes.ByteLength()) >= image.row_bytes * (image.height - 1) + used,
               "all rows of an image");
  return image;
}

Status OnCpu(const PreprocessBatch& batch, const std::atomic<bool>& cancelled, uint8_t* output) {
  const size_t each = batch.OutputBytes() / batch.images.size();
  for (const PreprocessImage& image : batch.images) {
    if (cancelled) return Status::Error("ERR_ABORTED", "the work was cancelled");
    PreprocessOnCpu(image, batch.plan, batch.format, output);
    output += each;
  }
  return Status::Ok();
}

// (images, plan, output): fills the ArrayBuffer `output`, and resolves with the kernel's milliseconds.
Napi::Value Preprocess(const Napi::CallbackInfo& info) {
  RequireShape(info, info.Length() == 3 && info[0].IsArray() && info[1].IsObject() && info[2].IsArrayBuffer(),
               "images, a plan and an ArrayBuffer");
  auto images = info[0].As<Napi::Array>();
  auto options = info[1].As<Napi::Object>();
  auto output = info[2].As<Napi::ArrayBuffer>();
  RequireShape(info, images.Length() >= 1 && images.Length() <= kMaxImages, "1 to 65535 images");
  auto batch = std::make_shared<PreprocessBatch>();
  const int device =
      static_cast<int>(IntegerProperty(info, options, "device", kOnCpu, DevicePool::kMaxDevices - 1));
  batch->format.channels = static_cast<int>(IntegerProperty(info, options, "channels", 1, 4));
  RequireShape(info, batch->format.channels != 2, "1, 3 or 4 channels");
  batch->format.type =
      FlagProperty(info, options, "half") ? PreprocessType::kFloat16 : PreprocessType::kFloat32;
  batch->format.layout =
      FlagProperty(info, options, "planar") ? PreprocessLayout::kNchw : PreprocessLayout::kNhwc;
  batch->plan.width = static_cast<int32_t>(IntegerProperty(info, options, "width", 1, kMaxSide));
  batch->plan.height = static_cast<int32_t>(IntegerProperty(info, options, "height", 1, kMaxSide));
  batch->plan.antialias = FlagProperty(info, options, "antialias") ? 1 : 0;
  ReadFactors(info, options, "scale", batch->plan.scale);
  ReadFactors(info, options, "bias", batch->plan.bias);
  for (uint32_t i = 0; i < images.Length(); ++i)
    batch->images.push_back(ReadImage(info, images[i], batch->format.channels));
  RequireShape(info, output.ByteLength() == batch->OutputBytes(), "an ArrayBuffer of the size of the inputs");
  auto pins = Napi::Array::New(info.Env());
  pins[0u] = images;
  pins[1u] = output;
  auto milliseconds = std::make_shared<double>(0);
  return Environment::Of(info.Env())
      .Start(std::make_unique<GpuTask>(
          pins,
          [device, batch, milliseconds,
           data = static_cast<uint8_t*>(output.Data())](const std::atomic<bool>& cancelled) {
            return device == kOnCpu
                       ? OnCpu(*batch, cancelled, data)
                       : PreprocessOnGpu(DevicePool::Of(device), *batch, cancelled, data, milliseconds.get());
          },
          [milliseconds](napi_env env) {
            napi_value value = nullptr;
            napi_create_double(env, *milliseconds, &value);
            return value;
          }));
}

}  // namespace

void AddGpuPreprocess(Napi::Env env, Napi::Object gpu) {
  gpu["preprocess"] = Napi::Function::New(env, Preprocess, "preprocess");
}

}  // namespace spillway
