// Stands for the library of an onnxruntime-node that is too old for us, for tests: its file, its SONAME, its symbol
// versions and what it says of itself. Like the real one once its binding is loaded, it stays mapped.
#include <cstdint>

namespace {
struct ApiBase {
  const void* (*GetApi)(uint32_t version);
  const char* (*GetVersionString)();
};
const ApiBase base = {[](uint32_t) -> const void* { return nullptr; }, [] { return "1.12.1"; }};
}  // namespace

extern "C" const ApiBase* OldGetApiBase() { return &base; }
__asm__(".symver OldGetApiBase,OrtGetApiBase@@VERS_1.12.1");
