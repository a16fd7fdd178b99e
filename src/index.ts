// The export list.
export type { BatchRunner } from './batch/batch-runner.js';
export { Batcher, type BatcherStats } from './batch/batcher.js';
export type { BatcherOptions, InferStageOptions, SubmitOptions } from './batch/batcher-options.js';
export type { CleanupPolicy } from './batch/cleanup.js';
export type { BatchEvent, CleanupReport, RetiredEvent } from './batch/events.js';
export { nvmlSensor } from './batch/nvml-sensor.js';
export type { PaddingOptions } from './batch/padding-plan.js';
export type { BatchFit } from './batch/sizing.js';
export { type SysfsSensorOptions, sysfsSensor } from './batch/sysfs-sensor.js';
export { type ThermalChange, ThermalManager, type ThermalSummary } from './batch/thermal.js';
export type { ThermalState } from './batch/thermal-limits.js';
export type { ThermalOptions } from './batch/thermal-options.js';
export type { ThermalReading, ThermalSensor } from './batch/thermal-sensor.js';
export type { ThermalPlace } from './batch/thermal-watch.js';
export { AdaptiveCache, getAdaptiveCache } from './cache/adaptive-cache.js';
export type { AdaptiveCacheOptions, AdaptiveCacheStats } from './cache/adaptive-cache-options.js';
export { ByteCache } from './cache/byte-cache.js';
export type { CacheLease } from './cache/byte-cache-lease.js';
export type { ByteCacheOptions, CachePolicy, CacheSetOptions } from './cache/byte-cache-options.js';
export {
  DiskCache,
  type DiskCacheOptions,
  type DiskCacheStats,
  type DiskSetOptions,
} from './cache/disk-cache.js';
export { type CacheTier, TieredCache, type TieredCacheOptions } from './cache/tiered-cache.js';
export type {
  CacheKey,
  CacheStats,
  Device,
  FileStat,
  Tensor,
  TensorElements,
  TensorType,
  ValueInfo,
} from './contract/index.js';
export {
  type DeviceMemory,
  type DevicePool,
  type DevicePoolStats,
  type GpuDevice,
  type GpuReport,
  type GpuState,
  type GpuStates,
  gpu,
  type PreprocessImage,
  type PreprocessOptions,
  type PreprocessResult,
} from './gpu/gpu.js';
export type { ReserveOptions } from './memory/admission.js';
export type { PressureLevel } from './memory/levels.js';
export { MemoryManager } from './memory/manager.js';
export type { MeasuredBatches, Optimised, WorkSize } from './memory/optimise.js';
export type { BudgetChoice, MemoryPreset } from './memory/presets.js';
export {
  getPressureMonitor,
  type PressureMonitor,
  type PressureSummary,
  type PressureTrend,
} from './memory/pressure-monitor.js';
export type { Recommendation } from './memory/recommend.js';
export { Reservation } from './memory/reservation.js';
export type { MemorySnapshot } from './memory/snapshot.js';
export { detectDevice } from './models/detect.js';
export type { LoadOptions } from './models/load-options.js';
export type { Model } from './models/model.js';
export { ModelCache } from './models/model-cache.js';
export { type NativeReport, nativeReport } from './native/load.js';
export { writeHeapSnapshot } from './observe/heap-snapshot.js';
export { LeakDetector } from './observe/leak.js';
export type { LeakVerdict } from './pipeline/leak-watch.js';
export type { Progress } from './pipeline/meter.js';
export type { Run, RunStats } from './pipeline/run.js';
export type { Failure, Outcome, Result, Success, Workload } from './pipeline/workload.js';
export { type ChunkOptions, type FileChunk, type FileChunks, openChunks } from './read/chunks.js';
export { type ReadOptions, readFiles } from './read/files.js';
export type { FileGroup } from './read/group.js';
export type { FilePaths } from './read/path-feed.js';
export type { FilePath } from './read/paths.js';
export type { ScanBatch, ScanFile, ScanFileType } from './scan/batch.js';
export { type ScanOptions, type ScanRoot, scan } from './scan/scan.js';
export { type RunOptions, Spillway, type SpillwayOptions } from './spillway.js';
export { type ErrorCode, SpillwayError } from './util/errors.js';
export * as workloads from './workloads/index.js';
