#include "infer/operator_library.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <map>
#include <mutex>

#include "core/never_destroyed.h"
#include "core/sha256.h"
#include "infer/allocator.h"
#include "infer/library.h"
#include "memory/ledger.h"

namespace spillway {
namespace {

// The entry by which every such library is known (onnxruntime_c_api.h, RegisterCustomOpsLibrary_V2).
constexpr const char* kEntry = "RegisterCustomOps";
using Register = ort::Failure* (*)(ort::SessionOptions*, const void* api_base);

constexpr off_t kLargest = off_t{1} << 30;
// A copy goes in such pieces.
constexpr size_t kPiece = size_t{1} << 20;

struct Registry {
  std::mutex mutex;
  std::map<std::string, Register> by_digest;  // null for a library without the entry
};

Registry& Loaded() {
  static NeverDestroyed<Registry> registry;
  return *registry;
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return number_; }
  // Leaves it open.
  void Keep() { number_ = -1; }

 private:
  int number_;
};

Status Rejected(const OperatorLibrary& library, const std::string& sentence) {
  return Status::Error("ERR_MODEL_REJECTED", "operator library '" + library.path + "': " + sentence);
}

Status SystemError(const OperatorLibrary& library, const char* what) {
  return Status::System(errno, std::string(what) + " operator library '" + library.path + "'");
}

// Exactly `bytes` from one file to the other; a file that grows or shrinks meanwhile is not the one asked
// for.
Status Copy(int from, int to, size_t bytes, const OperatorLibrary& library) {
  std::string piece(kPiece, '\0');
  for (size_t done = 0; done < bytes;) {
    ssize_t got = ::read(from, piece.data(), std::min(piece.size(), bytes - done));
    if (got < 0) return SystemError(library, "cannot read");
    if (got == 0)
      return Status::Error("ERR_FILE_CHANGED", library.path + " became shorter while it was read");
    for (ssize_t put = 0, now = 0; put < got; put += now)
      if ((now = ::write(to, piece.data() + put, got - put)) < 0) return SystemError(library, "cannot copy");
    done += got;
  }
  return Status::Ok();
}

Status Seal(int memory, const OperatorLibrary& library) {
  if (::fcntl(memory, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0)
    return Status::Ok();
  return SystemError(library, "cannot seal the copy of");
}

Status CheckDigest(int memory, size_t bytes, const OperatorLibrary& library) {
  void* mapped = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, memory, 0);
  if (mapped == MAP_FAILED) return SystemError(library, "cannot map the copy of");
  Sha256 hash;
  hash.Update(mapped, bytes);
  ::munmap(mapped, bytes);
  std::string digest;
  for (uint8_t byte : hash.Finish())
    for (int shift : {4, 0}) digest += "0123456789abcdef"[byte >> shift & 15];
  if (digest == library.sha256) return Status::Ok();
  return Rejected(library, "expected SHA-256 " + library.sha256 + " but it has " + digest);
}

// Maps the sealed copy. Its descriptor must stay open: the path is the name by which the loader knows the
// library, and another file that came to have the number would be taken for it.
Status Map(int memory, const OperatorLibrary& library, Register* entry) {
  const std::string path = "/proc/self/fd/" + std::to_string(memory);
  void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) return Rejected(library, ::dlerror());
  *entry = reinterpret_cast<Register>(::dlsym(handle, kEntry));
  return Status::Ok();
}

// `*entry` stays null where the library was loaded and has none.
Status Load(const OperatorLibrary& library, Register* entry) {
  Descriptor file(::open(library.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return SystemError(library, "cannot open");
  struct stat stat;
  if (::fstat(file.get(), &stat) != 0) return SystemError(library, "cannot stat");
  if (!S_ISREG(stat.st_mode) || stat.st_size == 0 || stat.st_size > kLargest)
    return Rejected(library, "expected a file of 1 to " + std::to_string(kLargest) + " bytes");
  Descriptor memory(::memfd_create("spillway-operators", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (memory.get() < 0) return SystemError(library, "cannot make memory for");
  Ledger& ledger = Ledger::Global();
  if (!ledger.Charge(ModelsAccount(), stat.st_size))
    return RefusedStatus("loading an operator library", ModelsAccount(), stat.st_size);
  Status status = Copy(file.get(), memory.get(), stat.st_size, library);
  if (status.ok()) status = Seal(memory.get(), library);
  if (status.ok()) status = CheckDigest(memory.get(), stat.st_size, library);
  if (status.ok()) status = Map(memory.get(), library, entry);
  if (status.ok())
    memory.Keep();
  else
    ledger.Credit(ModelsAccount(), stat.st_size);
  return status;
}

// The entry of the library, which is loaded where nobody has yet.
Status Find(const OperatorLibrary& library, Register* entry) {
  Registry& loaded = Loaded();
  std::lock_guard lock(loaded.mutex);
  auto known = loaded.by_digest.find(library.sha256);
  if (known == loaded.by_digest.end()) {
    if (Status status = Load(library, entry); !status.ok()) return status;
    known = loaded.by_digest.emplace(library.sha256, *entry).first;
  }
  *entry = known->second;
  return *entry ? Status::Ok() : Rejected(library, std::string("it has no entry ") + kEntry);
}

}  // namespace

Status RegisterOperators(const OperatorLibrary& library, ort::SessionOptions* options) {
  Register entry = nullptr;
  if (Status status = Find(library, &entry); !status.ok()) return status;
  try {
    Status status = CheckOrt(entry(options, InferLibrary::Global().api_base()));
    return status.ok() ? status : Rejected(library, status.message);
  } catch (const std::exception& error) {
    return Rejected(library, error.what());
  }
}

}  // namespace spillway
