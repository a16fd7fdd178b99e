// Preloaded, it stands in the place of glibc's allocator as jemalloc would: that is then never set up before somebody
// asks for a trim. It gives nothing back, which a short process does not mind.
#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>

namespace {

constexpr size_t kRoom = size_t{16} << 30;  // of addresses; pages come when they are touched
constexpr size_t kAlignment = 16;

std::atomic<size_t> used{0};

char* Room() {
  static char* const room = static_cast<char*>(
      mmap(nullptr, kRoom, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  return room;
}

size_t RoundUp(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

// The size stands before the block, for realloc.
void* Allocate(size_t bytes, size_t alignment) {
  const size_t header = alignment < kAlignment ? kAlignment : alignment;
  const size_t taken = RoundUp(bytes, kAlignment) + 2 * header;
  const size_t at = used.fetch_add(taken);
  if (bytes > kRoom || at + taken > kRoom) return nullptr;
  char* block = Room() + RoundUp(at + kAlignment, header);
  reinterpret_cast<size_t*>(block)[-1] = bytes;
  return block;
}

}  // namespace

extern "C" {
void* malloc(size_t bytes) { return Allocate(bytes, kAlignment); }
void free(void*) {}
void* calloc(size_t count, size_t bytes) { return Allocate(count * bytes, kAlignment); }
void* realloc(void* old, size_t bytes) {
  void* block = Allocate(bytes, kAlignment);
  if (!old || !block) return block;
  const size_t before = reinterpret_cast<size_t*>(old)[-1];
  return std::memcpy(block, old, before < bytes ? before : bytes);
}
void* memalign(size_t alignment, size_t bytes) { return Allocate(bytes, alignment); }
void* aligned_alloc(size_t alignment, size_t bytes) { return Allocate(bytes, alignment); }
int posix_memalign(void** block, size_t alignment, size_t bytes) {
  *block = Allocate(bytes, alignment);
  return *block ? 0 : ENOMEM;
}
size_t malloc_usable_size(void* block) { return block ? reinterpret_cast<size_t*>(block)[-1] : 0; }
}
