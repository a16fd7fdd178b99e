#include "scan/reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "scan/file_type.h"
#include "scan/utf8.h"

namespace spillway {
namespace {

constexpr size_t kBufferBytes = 128 << 10;
constexpr size_t kMaxPathBytes = 256 << 10;  // in one batch: deep trees make long paths
constexpr auto kPatience = std::chrono::milliseconds(2);

// The kernel's struct linux_dirent64 (getdents64(2)), which no header declares.
struct KernelEntry {
  uint64_t inode;
  int64_t next;
  unsigned short length;
  unsigned char type;
  char name[1];
};

FileId IdOf(const struct stat& stat) { return {stat.st_dev, stat.st_ino}; }

std::string_view BaseName(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  return path.substr(path.rfind('/') + 1);
}

}  // namespace

Reader::Reader(Walk& walk) : walk_(walk), plan_(walk.plan()), buffer_(new char[kBufferBytes]) {}

bool Reader::Run() {
  while (!walk_.cancelled()) {
    if (Due() && !Deliver()) return true;
    if (position_ == filled_) {
      if (!Refill()) return false;
      continue;
    }
    KernelEntry entry;
    const char* at = buffer_.get() + position_;
    std::memcpy(&entry, at, offsetof(KernelEntry, name));
    position_ += entry.length;
    Consider(at + offsetof(KernelEntry, name), entry.type);
  }
  directory_.reset();
  descriptor_.reset();
  return false;
}

// Whether the batch is to be handed over now.
bool Reader::Due() {
  const size_t count = batch_.count();
  if (count == 0) return false;
  bool due = count >= walk_.batch_target() || batch_.paths.size() >= kMaxPathBytes;
  if (!due && walk_.wanted() && (count % 32 == 0 || position_ == filled_))
    due = std::chrono::steady_clock::now() - batch_begun_ > kPatience;
  return due;
}

bool Reader::Deliver() {
  const size_t bytes = batch_.paths.size(), files = batch_.count();
  batch_.utf8 = IsUtf8(batch_.paths);
  const bool go_on = walk_.Deliver(&batch_);
  // Room for a batch like this one at once, rather than by doubling.
  batch_.paths.reserve(std::min(bytes / files * walk_.batch_target() * 9 / 8, kMaxPathBytes));
  batch_.types.reserve(walk_.batch_target());
  return go_on;
}

// Fills the buffer from the directory being read, or enters the next one; false where there is none.
bool Reader::Refill() {
  if (directory_) {
    if (children_count_ > 0) {
      walk_.Publish(directory_, children_, children_count_);
      children_.clear();
      children_count_ = 0;
    }
    long bytes = syscall(SYS_getdents64, descriptor_->fd(), buffer_.get(), kBufferBytes);
    if (bytes > 0) {
      position_ = 0;
      filled_ = static_cast<size_t>(bytes);
      return true;
    }
    if (bytes < 0) AddDirectoryError(Status::System(errno, "cannot read the directory"));
    walk_.Leave(directory_);
    directory_.reset();
    descriptor_.reset();
    return true;
  }
  Job job;
  if (!walk_.Take(&job)) {
    batch_.utf8 = IsUtf8(batch_.paths);
    return false;
  }
  Enter(job);
  return true;
}

void Reader::Enter(const Job& job) {
  directory_ = std::make_shared<Directory>();
  directory_->parent = job.parent;
  directory_->name = job.name;
  directory_->through_link = job.through_link;
  relative_ = SetPrefix(*directory_, &prefix_);
  const bool wanted = job.parent || EnterRoot(job);
  const int fd = wanted ? OpenDirectory(job) : -1;
  if (fd < 0) {
    const bool vanished = job.parent && errno == ENOENT && !plan_.stat;
    if (wanted && !vanished) AddDirectoryError(Status::System(errno, "cannot open the directory"));
    directory_.reset();
    return;
  }
  descriptor_ = std::make_shared<Descriptor>(fd, walk_.open_descriptors());
  if (plan_.follow) {
    struct stat stat;
    if (fstat(fd, &stat) == 0) directory_->id = IdOf(stat);
  }
  directory_->descriptor = descriptor_;  // not yet shared: nobody else knows the directory
}

// A root is followed where it is a link, and may be a file. True where it is a directory to read.
bool Reader::EnterRoot(const Job& job) {
  Entry root(job.name.c_str(), kUnknown);
  batch_.paths += job.name;
  if (fstatat(AT_FDCWD, root.name, &root.stat, AT_NO_AUTOMOUNT) != 0) {
    AddError(Status::System(errno, "cannot look at the root"));
    return false;
  }
  root.type = TypeOfMode(root.stat.st_mode);
  const std::string_view base = BaseName(job.name);
  const bool is_directory = root.type == kDirectory;
  const bool skipped = std::binary_search(plan_.skip.begin(), plan_.skip.end(), IdOf(root.stat)) ||
                       (!is_directory && plan_.exclude.Matches(base, false));
  const bool included = plan_.include.empty() || plan_.include.Matches(base, is_directory);
  if (!skipped && included && (plan_.types & root.type)) {
    AddRecord(root);
  } else if (!skipped && !is_directory && root.type != kFile && !(plan_.types & root.type)) {
    AddError(Status::Error("ERR_NOT_A_FILE",
                           std::string("expected a file or a directory but found ") + NameOf(root.type)));
  } else {
    batch_.paths.resize(batch_.paths.size() - job.name.size());
  }
  return is_directory && !skipped;
}

void Reader::Consider(const char* name, unsigned char dirent_type) {
  if (name[0] == '.' && (name[1] == 0 || (name[1] == '.' && name[2] == 0))) return;
  Entry entry(name, TypeOfDirent(dirent_type));
  const bool resolved = entry.type != kUnknown && !(entry.type == kSymlink && plan_.follow);
  if (resolved && entry.type != kDirectory && !(plan_.types & entry.type)) return;
  const size_t begin = batch_.paths.size();
  batch_.paths.append(prefix_).append(name);
  const size_t records = batch_.count();
  if (Admit(&entry, std::string_view(batch_.paths).substr(begin + relative_))) AddRecord(entry);
  if (batch_.count() == records) batch_.paths.resize(begin);
}

// Decides on an entry and queues it where it is a directory to enter. True: deliver it. A failure to look at
// it becomes a record here.
bool Reader::Admit(Entry* entry, std::string_view relative) {
  const auto excluded = [&] { return plan_.exclude.Matches(relative, entry->type == kDirectory); };
  if (!plan_.exclude.empty() && excluded()) return false;
  const bool included_as_directory = plan_.include.empty() || plan_.include.Matches(relative, true);
  const bool link = entry->type == kSymlink && plan_.follow;
  const bool stat_wanted = plan_.stat && included_as_directory && (plan_.types & entry->type);
  if (entry->type == kUnknown || link || stat_wanted || !plan_.skip.empty()) {
    if (int failure = LookAt(entry); failure != 0) {
      if (included_as_directory && (failure != ENOENT || link || plan_.stat))
        AddError(Status::System(failure, "cannot look at the entry"));
      return false;
    }
    if (entry->type == kDirectory && excluded()) return false;
    if (std::binary_search(plan_.skip.begin(), plan_.skip.end(), IdOf(entry->stat))) return false;
  }
  if (entry->type == kDirectory) {
    if (entry->through_link && IsAncestor(IdOf(entry->stat))) {
      if (included_as_directory) AddError(Status::System(ELOOP, "the link leads to a directory above it"));
      return false;
    }
    children_ += entry->through_link ? Directory::kLink : Directory::kPlain;
    children_.append(entry->name).push_back(0);
    ++children_count_;
  }
  if (!(plan_.types & entry->type) || !included_as_directory) return false;
  return plan_.include.empty() || entry->type == kDirectory || plan_.include.Matches(relative, false);
}

// Finds the type and the attributes of an entry, of the target where it is a link to follow. A link whose
// target is missing counts as itself where links are asked for. Returns an errno.
int Reader::LookAt(Entry* entry) {
  const int at = descriptor_->fd();
  entry->through_link = entry->type == kSymlink && plan_.follow;
  int flags = AT_NO_AUTOMOUNT | (entry->through_link ? 0 : AT_SYMLINK_NOFOLLOW);
  if (fstatat(at, entry->name, &entry->stat, flags) != 0) {
    const int failure = errno;
    if (!entry->through_link || failure != ENOENT || !(plan_.types & kSymlink)) return failure;
    entry->through_link = false;
    if (fstatat(at, entry->name, &entry->stat, flags | AT_SYMLINK_NOFOLLOW) != 0) return errno;
  }
  const bool type_was_unknown = entry->type == kUnknown;
  entry->type = TypeOfMode(entry->stat.st_mode);
  // Some file systems tell no type in the listing: now that it is known to be a link, follow it.
  return type_was_unknown && entry->type == kSymlink && plan_.follow ? LookAt(entry) : 0;
}

bool Reader::IsAncestor(FileId id) const {
  for (const Directory* each = directory_.get(); each; each = each->parent.get())
    if (each->id == id) return true;
  return false;
}

void Reader::AddRecord(const Entry& entry) {
  if (batch_.count() == 0) batch_begun_ = std::chrono::steady_clock::now();
  batch_.paths += '\0';
  batch_.types.push_back(entry.type);
  if (plan_.stat) batch_.AddStat(entry.stat);
}

void Reader::AddError(Status status) {
  batch_.errors.push_back({static_cast<uint32_t>(batch_.count()), std::move(status)});
  Entry unknown(nullptr, kUnknown);
  unknown.stat = {};
  AddRecord(unknown);
}

void Reader::AddDirectoryError(Status status) {
  const bool root = relative_ == prefix_.size();
  batch_.paths.append(root ? directory_->name : prefix_.substr(0, prefix_.size() - 1));
  AddError(std::move(status));
}

}  // namespace spillway
