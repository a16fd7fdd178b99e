#include "read/group.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace spillway {
namespace {

constexpr size_t kStep = 64 << 10;

Status TooLarge(uint64_t most, const std::string& size) {
  return Status::Error("ERR_TOO_LARGE",
                       "expected a file of at most " + std::to_string(most) + " bytes but it has " + size);
}

Status ReadMadeUp(const GroupPlan& plan, MeasuredFile* measured) {
  const uint64_t most = plan.max_file_bytes;
  Block content = Block::Take(most + 1, plan.account);
  for (;;) {
    const auto room = static_cast<size_t>(std::min<uint64_t>(kStep, most + 1 - measured->length));
    if (room == 0) return TooLarge(most, "more");
    if (!content || !content.Commit(measured->length + room)) return content.Refusal(measured->length + room);
    size_t got;
    Status status = measured->file.Read(content.data() + measured->length, room, measured->length, &got);
    if (!status.ok()) return status;
    measured->length += got;
    if (got < room) break;
  }
  measured->content = std::move(content);
  return Status::Ok();
}

}  // namespace

MeasuredFile Measure(const char* path, const GroupPlan& plan) {
  MeasuredFile measured;
  measured.status = measured.file.Open(path);
  if (!measured.status.ok()) return measured;
  measured.version = measured.file.version();
  const auto size = static_cast<uint64_t>(measured.version.size);
  if (measured.file.made_up())
    measured.status = ReadMadeUp(plan, &measured);
  else if (size > plan.max_file_bytes)
    measured.status = TooLarge(plan.max_file_bytes, std::to_string(size));
  else
    measured.length = size;
  if (!measured.status.ok()) measured.file.Close();
  return measured;
}

void ReadPlaced(PlacedFile& placed, const GroupPlan& plan) {
  MeasuredFile& source = placed.source;
  if (source.content)
    std::memcpy(placed.to, source.content.data(), source.length);
  else
    source.status = source.file.ReadAll(placed.to, source.length, 0);
  if (source.status.ok()) source.status = source.file.CheckUnchanged();
  source.file.Close();
  source.content.Reset();
  if (!plan.sha256 || !source.status.ok()) return;
  Sha256 hash;
  hash.Update(placed.to, source.length);
  placed.digest = hash.Finish();
}

}  // namespace spillway
