// Chunks of big files and groups of small ones, as src/contract/read.ts types them.
#include <algorithm>
#include <cstring>

#include "binding/parts.h"
#include "binding/reader_handle.h"
#include "read/chunk_stream.h"
#include "read/group_reader.h"

namespace spillway {
namespace {

// The properties of a plan, each checked for its shape.
class PlanReader {
 public:
  PlanReader(const Napi::CallbackInfo& info, const char* shape) : info_(info), shape_(shape) {
    RequireShape(info, info.Length() == 1 && info[0].IsObject(), shape);
    plan_ = info[0].As<Napi::Object>();
  }

  // A whole number of at least `least`; beyond what a number holds exactly, all there is.
  uint64_t Number(const char* name, double least) const {
    Napi::Value value = plan_.Get(name);
    RequireShape(info_, value.IsNumber(), shape_);
    const double number = value.As<Napi::Number>().DoubleValue();
    RequireShape(info_, number >= least, shape_);
    return number < 9007199254740992.0 ? static_cast<uint64_t>(number) : INT64_MAX;
  }
  bool Flag(const char* name) const { return plan_.Get(name).ToBoolean(); }
  AccountId Account() const {
    const auto id = static_cast<AccountId>(std::min<uint64_t>(Number("account", 0), INT32_MAX));
    RequireShape(info_, Ledger::Global().IsOpen(id), "the number of an open account");
    return id;
  }
  std::string Bytes(const char* name) const {
    Napi::Value value = plan_.Get(name);
    RequireShape(info_, value.IsTypedArray(), shape_);
    auto bytes = value.As<Napi::TypedArray>();
    return {static_cast<const char*>(bytes.ArrayBuffer().Data()) + bytes.ByteOffset(), bytes.ByteLength()};
  }

 private:
  const Napi::CallbackInfo& info_;
  const char* shape_;
  Napi::Object plan_;
};

ChunkPlan ChunkPlanOf(const Napi::CallbackInfo& info) {
  const PlanReader read(info, "the plan of a chunk reader");
  ChunkPlan plan;
  plan.path = read.Bytes("path");
  plan.chunk_bytes = read.Number("chunkBytes", 1);
  plan.start = read.Number("start", 0);
  plan.end = read.Number("end", 0);
  plan.slots = read.Number("slots", 1);
  plan.sha256 = read.Flag("sha256");
  plan.account = read.Account();
  return plan;
}

GroupPlan GroupPlanOf(const Napi::CallbackInfo& info) {
  const PlanReader read(info, "the plan of a group reader");
  GroupPlan plan;
  plan.group_bytes = read.Number("groupBytes", 1);
  plan.max_file_bytes = read.Number("maxFileBytes", 0);
  plan.threads = static_cast<int>(std::min<uint64_t>(read.Number("threads", 1), kMaxThreads));
  plan.sha256 = read.Flag("sha256");
  plan.account = read.Account();
  return plan;
}

bool Lends(const Napi::CallbackInfo& info) { return PlanReader(info, "the plan of a reader").Flag("lend"); }

// Makes an object property by property with raw calls: the first that fails leaves nullptr.
class RawObject {
 public:
  explicit RawObject(napi_env env) : env_(env) { Check(napi_create_object(env, &object_)); }

  void Set(const char* name, napi_value value) {
    complete_ = complete_ && value;
    Check(complete_ ? napi_set_named_property(env_, object_, name, value) : napi_generic_failure);
  }
  void Set(const char* name, double number) {
    napi_value value = nullptr;
    Check(napi_create_double(env_, number, &value));
    Set(name, value);
  }
  void Set(const char* name, const std::string& text) {
    napi_value value = nullptr;
    Check(napi_create_string_utf8(env_, text.data(), text.size(), &value));
    Set(name, value);
  }
  void SetUnsigned(const char* name, uint64_t number) {
    napi_value value = nullptr;
    Check(napi_create_bigint_uint64(env_, number, &value));
    Set(name, value);
  }
  void SetSigned(const char* name, int64_t number) {
    napi_value value = nullptr;
    Check(napi_create_bigint_int64(env_, number, &value));
    Set(name, value);
  }
  // A copy, as an ArrayBuffer.
  void SetBuffer(const char* name, const void* data, size_t bytes) {
    void* to = nullptr;
    napi_value value = nullptr;
    Check(napi_create_arraybuffer(env_, bytes, &to, &value));
    if (complete_ && bytes > 0) std::memcpy(to, data, bytes);
    Set(name, value);
  }
  napi_value value() const { return complete_ ? object_ : nullptr; }

 private:
  void Check(napi_status status) { complete_ = complete_ && status == napi_ok; }

  napi_env env_;
  napi_value object_ = nullptr;
  bool complete_ = true;
};

class ChunkReaderHandle : public ReaderHandle<ChunkReaderHandle, ChunkStream, Chunk> {
 public:
  explicit ChunkReaderHandle(const Napi::CallbackInfo& info)
      : ReaderHandle(info, std::make_shared<ChunkStream>(ChunkPlanOf(info)), Lends(info)) {}

  static Napi::Function Class(Napi::Env env) {
    return DefineClass(env, "ChunkReader",
                       {InstanceMethod("next", &ChunkReaderHandle::Next),
                        InstanceMethod("retain", &ChunkReaderHandle::Retain),
                        InstanceMethod("release", &ChunkReaderHandle::Release),
                        InstanceMethod("summary", &ChunkReaderHandle::Summary),
                        InstanceMethod("close", &ChunkReaderHandle::Close)});
  }

  napi_value Make(napi_env env, Chunk chunk) {
    return lender().Lend(env, std::move(chunk.block), chunk.bytes);
  }

 private:
  Napi::Value Summary(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    const auto summary = reader().Summary();
    if (!summary) return env.Null();
    RawObject result(env), stat(env);
    stat.SetUnsigned("dev", summary->version.dev);
    stat.SetUnsigned("ino", summary->version.ino);
    stat.Set("size", static_cast<double>(summary->version.size));
    stat.SetSigned("mtimeNs", summary->version.mtime_ns);
    stat.SetSigned("ctimeNs", summary->version.ctime_ns);
    result.Set("stat", stat.value());
    const void* digest = summary->digest ? summary->digest->data() : nullptr;
    result.SetBuffer("digest", digest, summary->digest ? sizeof(Sha256::Digest) : 0);
    return {env, result.value()};
  }
};

class GroupReaderHandle : public ReaderHandle<GroupReaderHandle, GroupReader, FileGroup> {
 public:
  explicit GroupReaderHandle(const Napi::CallbackInfo& info)
      : ReaderHandle(info, std::make_shared<GroupReader>(GroupPlanOf(info)), Lends(info)) {}

  static Napi::Function Class(Napi::Env env) {
    return DefineClass(
        env, "GroupReader",
        {InstanceMethod("add", &GroupReaderHandle::Add), InstanceMethod("end", &GroupReaderHandle::End),
         InstanceMethod("next", &GroupReaderHandle::Next),
         InstanceMethod("retain", &GroupReaderHandle::Retain),
         InstanceMethod("release", &GroupReaderHandle::Release),
         InstanceMethod("close", &GroupReaderHandle::Close)});
  }

  napi_value Make(napi_env env, FileGroup group) {
    RawObject object(env);
    object.Set("count", static_cast<double>(group.rows.size()));
    object.SetBuffer("rows", group.rows.data(), group.rows.size() * sizeof(FileRow));
    object.SetBuffer("digests", group.digests.data(), group.digests.size() * sizeof(Sha256::Digest));
    object.Set("errors", Errors(env, group.errors));
    object.Set("bytes", lender().Lend(env, std::move(group.arena), group.used));
    return object.value();
  }

 private:
  static napi_value Errors(napi_env env, const std::vector<FileGroup::Error>& errors) {
    napi_value array = nullptr;
    bool complete = napi_create_array_with_length(env, errors.size(), &array) == napi_ok;
    for (uint32_t i = 0; i < errors.size() && complete; ++i) {
      napi_handle_scope scope = nullptr;
      if (napi_open_handle_scope(env, &scope) != napi_ok) return nullptr;
      RawObject row(env);
      row.Set("index", static_cast<double>(errors[i].index));
      row.Set("code", errors[i].status.code);
      row.Set("message", errors[i].status.message);
      complete = row.value() && napi_set_element(env, array, i, row.value()) == napi_ok;
      napi_close_handle_scope(env, scope);
    }
    return complete ? array : nullptr;
  }

  void Add(const Napi::CallbackInfo& info) {
    static constexpr char kShape[] = "paths, each followed by NUL, and their number";
    RequireShape(info, info.Length() == 2 && info[0].IsTypedArray() && info[1].IsNumber(), kShape);
    auto bytes = info[0].As<Napi::TypedArray>();
    const char* data = static_cast<const char*>(bytes.ArrayBuffer().Data()) + bytes.ByteOffset();
    std::string paths(data, bytes.ByteLength());
    const int64_t count = info[1].As<Napi::Number>().Int64Value();
    const bool ended = paths.empty() || paths.back() == '\0';
    RequireShape(info, ended && std::count(paths.begin(), paths.end(), '\0') == count, kShape);
    reader().Add(std::move(paths), static_cast<size_t>(count));
  }
  void End(const Napi::CallbackInfo&) { reader().End(); }
};

Napi::Value OpenChunkReader(const Napi::CallbackInfo& info) {
  RequireShape(info, info.Length() == 1 && info[0].IsObject(), "the plan of a chunk reader");
  return Environment::Of(info.Env()).chunk_reader_class.New({info[0]});
}

Napi::Value OpenGroupReader(const Napi::CallbackInfo& info) {
  RequireShape(info, info.Length() == 1 && info[0].IsObject(), "the plan of a group reader");
  return Environment::Of(info.Env()).group_reader_class.New({info[0]});
}

Napi::Value Sha256Of(const Napi::CallbackInfo& info) {
  RequireShape(info, info.Length() == 2 && info[0].IsTypedArray(), "bytes, and whether to compute portably");
  auto bytes = info[0].As<Napi::TypedArray>();
  Sha256 hash(info[1].ToBoolean() ? Sha256::Kind::kPortable : Sha256::Kind::kFastest);
  hash.Update(static_cast<const char*>(bytes.ArrayBuffer().Data()) + bytes.ByteOffset(), bytes.ByteLength());
  const auto digest = hash.Finish();
  return Napi::Buffer<uint8_t>::Copy(info.Env(), digest.data(), digest.size());
}

}  // namespace

void RegisterRead(Napi::Env env, Napi::Object exports) {
  Environment::Of(env).chunk_reader_class = Napi::Persistent(ChunkReaderHandle::Class(env));
  Environment::Of(env).group_reader_class = Napi::Persistent(GroupReaderHandle::Class(env));
  exports["openChunkReader"] = Napi::Function::New(env, OpenChunkReader, "openChunkReader");
  exports["openGroupReader"] = Napi::Function::New(env, OpenGroupReader, "openGroupReader");
  exports["sha256"] = Napi::Function::New(env, Sha256Of, "sha256");
}

}  // namespace spillway
