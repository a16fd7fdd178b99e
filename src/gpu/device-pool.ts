// The memory of one device: a stream-ordered pool, its limit and its accounts. One per device in a process.
import type { DevicePoolStats, ExternalAllocator } from '../contract/index.js';
import { invalidArgument } from '../util/errors.js';
import { parseSize, type Size } from '../util/sizes.js';
import { DeviceMemory } from './device-memory.js';
import { gpuSide, parseDevice } from './side.js';

/** A device's pool. To make one, or to ask for its figures, takes nothing of the device. */
export class DevicePool {
  readonly device: number;

  /** `device` is CUDA's number for it; throws `ERR_INVALID_ARGUMENT`, and `ERR_NATIVE_UNAVAILABLE` without the addon. */
  constructor(device: number) {
    this.device = parseDevice(device);
    gpuSide();
  }

  stats(): DevicePoolStats {
    return gpuSide().poolStats(this.device);
  }

  /** Bounds what may be allocated from now on; a size, or `Infinity` for no bound. */
  setLimit(limit: Size): void {
    gpuSide().setPoolLimit(this.device, limit === Infinity ? limit : parseSize(limit, 'limit'));
  }

  /**
   * Memory of the device, charged to its account `buffers`. The first allocation opens the device, which can take a
   * second. Throws `ERR_BUDGET_EXCEEDED` past the limit, `ERR_OUT_OF_MEMORY` where the device has no more,
   * `ERR_DEVICE_UNAVAILABLE` and `ERR_DEVICE_LOST`.
   */
  async allocate(size: Size): Promise<DeviceMemory> {
    const bytes = parseSize(size, 'size');
    if (bytes < 1) throw invalidArgument('size', 'at least 1 byte', size);
    return new DeviceMemory(await gpuSide().allocate(this.device, bytes), bytes);
  }

  /** Gives what is free in the pool, and idle pinned memory, back; resolves with the bytes the device got. */
  trim(): Promise<number> {
    return gpuSide().trimPool(this.device);
  }

  /** Options that make ONNX Runtime's CUDA provider allocate here, under the account `ort`. */
  externalAllocator(): ExternalAllocator {
    return gpuSide().externalAllocator(this.device);
  }
}
