#include "memory/signals/psi.h"

#include "core/status.h"

namespace spillway {

Stalls::Stalls(const std::string& proc, const std::string& group) {
  ReadBuffer buffer;
  if (!group.empty()) file_ = KeptFile(group + "/memory.pressure");
  if (group.empty() || Read(buffer) < 0) file_ = KeptFile(proc + "/pressure/memory");
}

// "some avg10=0.00 avg60=0.00 avg300=0.00 total=123", then the same for "full".
int64_t Stalls::Read(ReadBuffer& buffer) {
  static constexpr std::string_view kTotal = "total=";
  const std::string_view text = file_.Read(buffer);
  const size_t at = text.find(kTotal);
  return at == std::string_view::npos ? -1 : NumberIn(text.substr(at + kTotal.size()));
}

std::string Stalls::Describe() const {
  const int error = file_.error();
  return "psi " + file_.path() + (error ? ": " + ErrnoName(error) : "");
}

}  // namespace spillway
