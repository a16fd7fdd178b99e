// What the device can do at most: copies within its memory, and to it from pinned memory, as cuMemcpyAsync
// does them. Prints one line of JSON; built with the system's compiler, needs no CUDA package.
#include <dlfcn.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

void* library;

template <typename Result, typename... Arguments>
Result Call(const char* name, Arguments... arguments) {
  auto entry = reinterpret_cast<Result (*)(Arguments...)>(dlsym(library, name));
  if (!entry) {
    std::fprintf(stderr, "the CUDA driver lacks %s\n", name);
    std::exit(1);
  }
  return entry(arguments...);
}

template <typename... Arguments>
void Do(const char* name, Arguments... arguments) {
  if (const int result = Call<int>(name, arguments...); result != 0) {
    std::fprintf(stderr, "%s failed with %d\n", name, result);
    std::exit(1);
  }
}

// Bytes a second: the median of some copies, each timed by the device.
template <typename Copy>
double Rate(size_t bytes, Copy copy) {
  void *begin, *end;
  Do("cuEventCreate", &begin, 0u);
  Do("cuEventCreate", &end, 0u);
  std::vector<float> times;
  for (int run = 0; run < 11; ++run) {
    float milliseconds;
    Do("cuEventRecord", begin, static_cast<void*>(nullptr));
    copy();
    Do("cuEventRecord", end, static_cast<void*>(nullptr));
    Do("cuEventSynchronize", end);
    Do("cuEventElapsedTime", &milliseconds, begin, end);
    times.push_back(milliseconds);
  }
  std::sort(times.begin() + 1, times.end());
  return static_cast<double>(bytes) / (times[times.size() / 2] / 1e3);
}

}  // namespace

int main(int count, char** arguments) {
  const size_t bytes = count > 1 ? std::strtoull(arguments[1], nullptr, 10) : size_t{1} << 30;
  library = dlopen("libcuda.so.1", RTLD_NOW);
  if (!library) {
    std::fprintf(stderr, "the CUDA driver is not installed\n");
    return 1;
  }
  int device;
  void *context, *pinned, *stream = nullptr;
  uint64_t from, to;
  Do("cuInit", 0u);
  Do("cuDeviceGet", &device, 0);
  Do("cuDevicePrimaryCtxRetain", &context, device);
  Do("cuCtxPushCurrent_v2", context);
  Do("cuMemAlloc_v2", &from, bytes);
  Do("cuMemAlloc_v2", &to, bytes);
  Do("cuMemHostAlloc", &pinned, bytes, 0u);
  for (size_t i = 0; i < bytes / 8; ++i) static_cast<uint64_t*>(pinned)[i] = i * 0x9e3779b97f4a7c15;
  const double pinned_copy =
      Rate(bytes, [&] { Do("cuMemcpyHtoDAsync_v2", from, static_cast<const void*>(pinned), bytes, stream); });
  // Each byte is read and written.
  const double device_copy = Rate(2 * bytes, [&] { Do("cuMemcpyDtoDAsync_v2", to, from, bytes, stream); });
  std::printf("{\"pinnedCopy\":%.0f,\"deviceCopy\":%.0f}\n", pinned_copy, device_copy);
}
