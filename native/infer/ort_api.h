// The few entries of ONNX Runtime's C API that we use, declared by position.
//
// The API is one table of function pointers that is only ever appended to: an entry's position, once shipped,
// is its identity. So these declarations hold for every library that accepts kVersion, and no header is
// needed. Each is proved by test/models, which drives all of them but the GPU's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace spillway::ort {

// The lowest version that has all entries below. Asking for more than a library has prints to standard error.
inline constexpr uint32_t kVersion = 17;

// Set once, by the library that is loaded first; see library.h.
extern const void* const* table;

struct Environment;
struct Session;
struct SessionOptions;
struct RunOptions;
struct Value;
struct TypeInfo;
struct TensorInfo;
struct MemoryInfo;
struct PrepackedWeights;
struct CudaOptions;
struct Failure;  // OrtStatus; null means success

enum FailureCode : int {
  kFail = 1,
  kInvalidArgument = 2,
  kNoSuchFile = 3,
  kInvalidProtobuf = 7,
  kInvalidGraph = 10
};
enum ElementType : int {
  kUndefined = 0,
  kFloat32 = 1,
  kUint8 = 2,
  kInt8 = 3,
  kUint16 = 4,
  kInt16 = 5,
  kInt32 = 6,
  kInt64 = 7,
  kString = 8,
  kBool = 9,
  kFloat16 = 10,
  kFloat64 = 11,
  kUint32 = 12,
  kUint64 = 13,
};
enum ValueKind : int { kTensorValue = 1 };
enum ExecutionMode : int { kSequential = 0 };
enum OptimizationLevel : int { kNoOptimizations = 0, kAllOptimizations = 99 };
enum AllocatorType : int { kDeviceAllocator = 0 };
enum MemoryType : int { kDefaultMemory = 0 };
enum Severity : int { kWarning = 2, kError = 3, kFatal = 4 };

// The one struct whose layout both sides read. `version` tells how many of its members exist.
struct Allocator {
  uint32_t version;
  void* (*Alloc)(Allocator* self, size_t bytes);
  void (*Free)(Allocator* self, void* block);
  const MemoryInfo* (*Info)(const Allocator* self);
  void* (*Reserve)(Allocator* self, size_t bytes);
};
static_assert(offsetof(Allocator, Reserve) == 32);

using LogFunction = void (*)(void* param, Severity, const char* category, const char* id,
                             const char* location, const char* message);
using CreateThreadFunction = void* (*)(void* options, void (*work)(void*), void* argument);
using JoinThreadFunction = void (*)(void* thread);

template <int kPosition, typename Signature>
class Entry;
template <int kPosition, typename Result, typename... Arguments>
class Entry<kPosition, Result(Arguments...)> {
 public:
  Result operator()(Arguments... arguments) const {
    return reinterpret_cast<Result (*)(Arguments...)>(const_cast<void*>(table[kPosition]))(arguments...);
  }
};

// clang-format off
inline constexpr Entry<1, FailureCode(const Failure*)> GetErrorCode;
inline constexpr Entry<2, const char*(const Failure*)> GetErrorMessage;
inline constexpr Entry<93, void(Failure*)> ReleaseStatus;

inline constexpr Entry<4, Failure*(LogFunction, void* param, Severity, const char* id, Environment**)> CreateEnvWithCustomLogger;
inline constexpr Entry<176, Failure*(Environment*, Allocator*)> RegisterAllocator;
inline constexpr Entry<69, Failure*(AllocatorType, MemoryType, MemoryInfo**)> CreateCpuMemoryInfo;
inline constexpr Entry<78, Failure*(Allocator**)> GetAllocatorWithDefaultOptions;
inline constexpr Entry<76, Failure*(Allocator*, void*)> AllocatorFree;

inline constexpr Entry<10, Failure*(SessionOptions**)> CreateSessionOptions;
inline constexpr Entry<100, void(SessionOptions*)> ReleaseSessionOptions;
inline constexpr Entry<11, Failure*(SessionOptions*, const char* path)> SetOptimizedModelFilePath;
inline constexpr Entry<13, Failure*(SessionOptions*, ExecutionMode)> SetSessionExecutionMode;
inline constexpr Entry<14, Failure*(SessionOptions*, const char* path_prefix)> EnableProfiling;
inline constexpr Entry<17, Failure*(SessionOptions*)> DisableMemPattern;
inline constexpr Entry<19, Failure*(SessionOptions*)> DisableCpuMemArena;
inline constexpr Entry<22, Failure*(SessionOptions*, int)> SetSessionLogSeverityLevel;
inline constexpr Entry<23, Failure*(SessionOptions*, OptimizationLevel)> SetSessionGraphOptimizationLevel;
inline constexpr Entry<24, Failure*(SessionOptions*, int)> SetIntraOpNumThreads;
inline constexpr Entry<25, Failure*(SessionOptions*, int)> SetInterOpNumThreads;
inline constexpr Entry<124, Failure*(SessionOptions*, const char* name, int64_t size)> AddFreeDimensionOverrideByName;
inline constexpr Entry<130, Failure*(SessionOptions*, const char* key, const char* value)> AddSessionConfigEntry;
inline constexpr Entry<196, Failure*(SessionOptions*, CreateThreadFunction)> SessionOptionsSetCustomCreateThreadFn;
inline constexpr Entry<197, Failure*(SessionOptions*, void*)> SessionOptionsSetCustomThreadCreationOptions;
inline constexpr Entry<198, Failure*(SessionOptions*, JoinThreadFunction)> SessionOptionsSetCustomJoinThreadFn;
inline constexpr Entry<216, Failure*(SessionOptions*, const char* name, const char* const* keys, const char* const* values, size_t)> SessionOptionsAppendExecutionProvider;
inline constexpr Entry<204, Failure*(SessionOptions*, const CudaOptions*)> SessionOptionsAppendExecutionProvider_CUDA_V2;
inline constexpr Entry<205, Failure*(CudaOptions**)> CreateCUDAProviderOptions;
inline constexpr Entry<206, Failure*(CudaOptions*, const char* const* keys, const char* const* values, size_t)> UpdateCUDAProviderOptions;
inline constexpr Entry<208, void(CudaOptions*)> ReleaseCUDAProviderOptions;

inline constexpr Entry<150, Failure*(SessionOptions*, const char* name, const Value*)> AddInitializer;
inline constexpr Entry<166, Failure*(PrepackedWeights**)> CreatePrepackedWeightsContainer;
inline constexpr Entry<167, void(PrepackedWeights*)> ReleasePrepackedWeightsContainer;
inline constexpr Entry<169, Failure*(const Environment*, const void* model, size_t bytes, const SessionOptions*, PrepackedWeights*, Session**)> CreateSessionFromArrayWithPrepackedWeightsContainer;
inline constexpr Entry<8, Failure*(const Environment*, const void* model, size_t bytes, const SessionOptions*, Session**)> CreateSessionFromArray;
inline constexpr Entry<95, void(Session*)> ReleaseSession;
inline constexpr Entry<30, Failure*(const Session*, size_t*)> SessionGetInputCount;
inline constexpr Entry<31, Failure*(const Session*, size_t*)> SessionGetOutputCount;
inline constexpr Entry<33, Failure*(const Session*, size_t, TypeInfo**)> SessionGetInputTypeInfo;
inline constexpr Entry<34, Failure*(const Session*, size_t, TypeInfo**)> SessionGetOutputTypeInfo;
inline constexpr Entry<36, Failure*(const Session*, size_t, Allocator*, char**)> SessionGetInputName;
inline constexpr Entry<37, Failure*(const Session*, size_t, Allocator*, char**)> SessionGetOutputName;
inline constexpr Entry<9, Failure*(Session*, const RunOptions*, const char* const* inputs, const Value* const*, size_t, const char* const* outputs, size_t, Value**)> Run;
inline constexpr Entry<110, Failure*(Session*, Allocator*, char** path)> SessionEndProfiling;
inline constexpr Entry<39, Failure*(RunOptions**)> CreateRunOptions;
inline constexpr Entry<46, Failure*(RunOptions*)> RunOptionsSetTerminate;
inline constexpr Entry<97, void(RunOptions*)> ReleaseRunOptions;

inline constexpr Entry<48, Failure*(Allocator*, const int64_t* dims, size_t, ElementType, Value**)> CreateTensorAsOrtValue;
inline constexpr Entry<49, Failure*(const MemoryInfo*, void* data, size_t bytes, const int64_t* dims, size_t, ElementType, Value**)> CreateTensorWithDataAsOrtValue;
inline constexpr Entry<51, Failure*(Value*, void**)> GetTensorMutableData;
inline constexpr Entry<52, Failure*(Value*, const char* const*, size_t)> FillStringTensor;
inline constexpr Entry<53, Failure*(const Value*, size_t*)> GetStringTensorDataLength;
inline constexpr Entry<54, Failure*(const Value*, void*, size_t bytes, size_t* offsets, size_t)> GetStringTensorContent;
inline constexpr Entry<55, Failure*(const TypeInfo*, const TensorInfo**)> CastTypeInfoToTensorInfo;
inline constexpr Entry<60, Failure*(const TensorInfo*, ElementType*)> GetTensorElementType;
inline constexpr Entry<61, Failure*(const TensorInfo*, size_t*)> GetDimensionsCount;
inline constexpr Entry<62, Failure*(const TensorInfo*, int64_t*, size_t)> GetDimensions;
inline constexpr Entry<63, Failure*(const TensorInfo*, const char**, size_t)> GetSymbolicDimensions;
inline constexpr Entry<64, Failure*(const TensorInfo*, size_t*)> GetTensorShapeElementCount;
inline constexpr Entry<65, Failure*(const Value*, TensorInfo**)> GetTensorTypeAndShape;
inline constexpr Entry<67, Failure*(const Value*, ValueKind*)> GetValueType;
inline constexpr Entry<96, void(Value*)> ReleaseValue;
inline constexpr Entry<98, void(TypeInfo*)> ReleaseTypeInfo;
inline constexpr Entry<99, void(TensorInfo*)> ReleaseTensorTypeAndShapeInfo;
// clang-format on

template <const auto& kRelease>
struct Releaser {
  template <typename T>
  void operator()(T* object) const {
    kRelease(object);
  }
};
template <typename T, const auto& kRelease>
using Owned = std::unique_ptr<T, Releaser<kRelease>>;

using OwnedFailure = Owned<Failure, ReleaseStatus>;
using OwnedSession = Owned<Session, ReleaseSession>;
using OwnedSessionOptions = Owned<SessionOptions, ReleaseSessionOptions>;
using OwnedRunOptions = Owned<RunOptions, ReleaseRunOptions>;
using OwnedValue = Owned<Value, ReleaseValue>;
using OwnedTypeInfo = Owned<TypeInfo, ReleaseTypeInfo>;
using OwnedTensorInfo = Owned<TensorInfo, ReleaseTensorTypeAndShapeInfo>;
using OwnedPrepackedWeights = Owned<PrepackedWeights, ReleasePrepackedWeightsContainer>;
using OwnedCudaOptions = Owned<CudaOptions, ReleaseCUDAProviderOptions>;

}  // namespace spillway::ort
