#include "gpu/preprocess.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "cuda/preprocess_launch.h"
#include "gpu/staging.h"

namespace spillway {
namespace {

// Rows on the device begin where the widest loads may.
constexpr int64_t kRowAlignment = 16;

int64_t AlignUp(int64_t value, int64_t alignment) { return (value + alignment - 1) / alignment * alignment; }

// A block of device memory for as long as this lives.
class DeviceBlock {
 public:
  explicit DeviceBlock(DevicePool& pool) : pool_(pool) {}
  ~DeviceBlock() {
    if (address != 0) pool_.Free(address);
  }
  DeviceBlock(const DeviceBlock&) = delete;
  DeviceBlock& operator=(const DeviceBlock&) = delete;

  Status Allocate(int64_t bytes) { return pool_.Allocate(bytes, &address); }

  uint64_t address = 0;

 private:
  DevicePool& pool_;
};

// The images one behind the other, rows padded, as the device gets them; the kernel's list of them comes
// first.
class Layout {
 public:
  explicit Layout(const PreprocessBatch& batch) : batch_(batch) {
    list_bytes_ = AlignUp(static_cast<int64_t>(batch.images.size() * sizeof(PreparedImage)), 256);
    bytes_ = list_bytes_;
    for (const PreprocessImage& image : batch.images) {
      offsets_.push_back(bytes_);
      bytes_ += Pitch(image) * image.height;
    }
  }

  int64_t bytes() const { return bytes_; }

  // Writes the list for images that begin at `address`.
  void Place(uint64_t address) {
    list_.assign(static_cast<size_t>(list_bytes_), 0);
    for (size_t i = 0; i < offsets_.size(); ++i) {
      const PreprocessImage& image = batch_.images[i];
      const PreparedImage prepared{reinterpret_cast<const uint8_t*>(address + offsets_[i]), Pitch(image),
                                   ResampleAxis(image.width, batch_.plan.width, batch_.plan.antialias),
                                   ResampleAxis(image.height, batch_.plan.height, batch_.plan.antialias)};
      std::memcpy(&list_[i * sizeof(prepared)], &prepared, sizeof(prepared));
    }
  }

  void Write(uint8_t* target, int64_t offset, int64_t bytes) const {
    while (bytes > 0) {
      const int64_t done =
          offset < list_bytes_ ? WriteList(target, offset, bytes) : WriteImage(target, offset, bytes);
      target += done;
      offset += done;
      bytes -= done;
    }
  }

 private:
  int64_t Used(const PreprocessImage& image) const { return int64_t{image.width} * batch_.format.channels; }
  int64_t Pitch(const PreprocessImage& image) const { return AlignUp(Used(image), kRowAlignment); }

  int64_t WriteList(uint8_t* target, int64_t offset, int64_t bytes) const {
    const int64_t count = std::min(bytes, list_bytes_ - offset);
    std::memcpy(target, &list_[offset], count);
    return count;
  }

  // At most the rest of a row, or of the image where its rows need no padding.
  int64_t WriteImage(uint8_t* target, int64_t offset, int64_t bytes) const {
    const auto after = std::upper_bound(offsets_.begin(), offsets_.end(), offset);
    const PreprocessImage& image = batch_.images[after - offsets_.begin() - 1];
    const int64_t at = offset - *(after - 1), pitch = Pitch(image);
    if (image.row_bytes == pitch) {
      // The last row may end with its last pixel.
      const int64_t whole = pitch * (image.height - 1) + Used(image);
      if (at < whole) {
        const int64_t count = std::min(bytes, whole - at);
        std::memcpy(target, image.pixels + at, count);
        return count;
      }
    }
    const int64_t row = at / pitch, column = at % pitch;
    const bool pixels = column < Used(image);
    const int64_t count = std::min(bytes, (pixels ? Used(image) : pitch) - column);
    if (pixels)
      std::memcpy(target, image.pixels + row * image.row_bytes + column, count);
    else
      std::memset(target, 0, count);
    return count;
  }

  const PreprocessBatch& batch_;
  std::vector<int64_t> offsets_;
  std::vector<uint8_t> list_;
  int64_t list_bytes_, bytes_;
};

// The largest pieces that leave room for several blocks on a multiprocessor; where even a pixel is too much
// for that, as much as a block may have.
Status Cut(const PreprocessBatch& batch, PreprocessCut* cut) {
  constexpr int kMaxSharedBytes = 48 << 10;  // what any device gives a block
  int width = 0, height = 0;
  for (const PreprocessImage& image : batch.images) {
    width = std::max(width, image.width);
    height = std::max(height, image.height);
  }
  const int channels = batch.format.channels;
  const ResampleAxis across(width, batch.plan.width, batch.plan.antialias);
  const ResampleAxis down(height, batch.plan.height, batch.plan.antialias);
  for (int pieces = 1, tile = 0; tile != 1; ++pieces) {
    tile = (batch.plan.width + pieces - 1) / pieces;
    const int pixels =
        static_cast<int>(std::ceil(tile * across.scale + 2 * across.support)) + 2 + kPreprocessTaps;
    *cut = {tile, static_cast<int32_t>(AlignUp(pixels * channels + kPreprocessVector, kPreprocessVector)),
            static_cast<int32_t>(down.support) + 2};
    if (cut->SharedBytes() <= kPreprocessSharedBytes) return Status::Ok();
  }
  if (cut->SharedBytes() <= kMaxSharedBytes) return Status::Ok();
  return Status::Error("ERR_TOO_LARGE", "expected images at most some 150 times as large as " +
                                            std::to_string(batch.plan.width) + "x" +
                                            std::to_string(batch.plan.height) + " but one is " +
                                            std::to_string(width) + "x" + std::to_string(height));
}

std::string KernelName(const PreprocessFormat& format) {
  return std::string("spillway_preprocess_") +
         (format.channels == 1   ? "grey"
          : format.channels == 3 ? "rgb"
                                 : "rgba") +
         (format.type == PreprocessType::kFloat32 ? "_float32" : "_float16") +
         (format.layout == PreprocessLayout::kNchw ? "_nchw" : "_nhwc");
}

// Runs the kernel and waits for it.
Status Launch(DevicePool& pool, cuda::Function kernel, const PreprocessBatch& batch, const PreprocessCut& cut,
              uint64_t images, uint64_t outputs, double* milliseconds) {
  const cuda::Driver& driver = pool.driver();
  cuda::Event begin = nullptr, end = nullptr;
  PreprocessPlan plan = batch.plan;
  PreprocessCut pieces = cut;
  void* arguments[] = {&images, &outputs, &plan, &pieces};
  constexpr int kRows = kPreprocessWarps * kPreprocessRows;
  float elapsed = 0;
  Status status = driver.Check("cuEventCreate", driver.cuEventCreate(&begin, 0));
  if (status.ok()) status = driver.Check("cuEventCreate", driver.cuEventCreate(&end, 0));
  if (status.ok()) status = driver.Check("cuEventRecord", driver.cuEventRecord(begin, pool.stream()));
  if (status.ok())
    status = driver.Check(
        "cuLaunchKernel",
        driver.cuLaunchKernel(kernel, (plan.width + cut.tile - 1) / cut.tile,
                              (plan.height + kRows - 1) / kRows, static_cast<unsigned>(batch.images.size()),
                              32, kPreprocessWarps, 1, cut.SharedBytes(), pool.stream(), arguments, nullptr));
  if (status.ok()) status = driver.Check("cuEventRecord", driver.cuEventRecord(end, pool.stream()));
  if (status.ok()) status = driver.Check("cuStreamSynchronize", driver.cuStreamSynchronize(pool.stream()));
  if (status.ok())
    status = driver.Check("cuEventElapsedTime", driver.cuEventElapsedTime(&elapsed, begin, end));
  if (begin) driver.cuEventDestroy_v2(begin);
  if (end) driver.cuEventDestroy_v2(end);
  *milliseconds = elapsed;
  return status;
}

}  // namespace

Status PreprocessOnGpu(DevicePool& pool, const PreprocessBatch& batch, const std::atomic<bool>& cancelled,
                       void* output, double* kernel_milliseconds) {
  PreprocessCut cut;
  if (Status status = Cut(batch, &cut); !status.ok()) return status;
  if (Status status = pool.Open(); !status.ok()) return status;
  const cuda::Current current(pool.driver(), pool.context());
  cuda::Function kernel;
  if (Status status = pool.Kernel(KernelName(batch.format).c_str(), &kernel); !status.ok()) return status;
  Layout layout(batch);
  DeviceBlock images(pool), outputs(pool);
  if (Status status = images.Allocate(layout.bytes()); !status.ok()) return status;
  if (Status status = outputs.Allocate(static_cast<int64_t>(batch.OutputBytes())); !status.ok())
    return status;
  layout.Place(images.address);
  const StagingRing::Source source = [&layout](uint8_t* target, uint64_t offset, size_t bytes) {
    layout.Write(target, static_cast<int64_t>(offset), static_cast<int64_t>(bytes));
    return Status::Ok();
  };
  Status status =
      pool.staging().Upload(images.address, static_cast<uint64_t>(layout.bytes()), source, cancelled);
  if (status.ok())
    status = Launch(pool, kernel, batch, cut, images.address, outputs.address, kernel_milliseconds);
  if (status.ok())
    status = pool.staging().Download(output, outputs.address, batch.OutputBytes(), pool.stream());
  return status;
}

}  // namespace spillway
