// What spillway knows of GPUs, and does on them, by itself: no CUDA package is needed.
import type { GpuDevice, GpuMemory, GpuState as NativeGpuState } from '../contract/index.js';
import { DevicePool } from './device-pool.js';
import { preprocess } from './preprocess.js';
import { gpuSide } from './side.js';

export type { DevicePoolStats, GpuDevice, GpuMemory, ThrottleReason } from '../contract/index.js';
export type { DeviceMemory } from './device-memory.js';
export type { DevicePool } from './device-pool.js';
export type { PreprocessImage, PreprocessOptions, PreprocessResult } from './preprocess.js';

/** The devices the driver shows; where there is none, why. */
export interface GpuReport {
  readonly devices: readonly GpuDevice[];
  readonly reason: string | undefined;
}

/** The state of a GPU, and where CUDA shows it to this process. */
export interface GpuState extends Omit<NativeGpuState, 'slices'> {
  /** The number of its pool; undefined where `CUDA_VISIBLE_DEVICES` hides it, or where only its slices are shown. */
  readonly cudaId: number | undefined;
  readonly slices: readonly {
    readonly uuid: string;
    readonly memory?: GpuMemory;
    readonly cudaId: number | undefined;
  }[];
}

/** All GPUs of the machine; where there is none, why. */
export interface GpuStates {
  readonly driverVersion: string | undefined;
  readonly devices: readonly GpuState[];
  readonly reason: string | undefined;
}

/** The GPUs of this machine. Without an NVIDIA driver it says so. Everything throws `ERR_NATIVE_UNAVAILABLE` on the JavaScript path. */
export const gpu = {
  /**
   * Asks the CUDA driver, `CUDA_VISIBLE_DEVICES` respected. The first call initialises it, which can block for
   * some 100 ms; it takes no device memory.
   */
  devices(): GpuReport {
    return gpuSide().devices();
  },

  /**
   * Asks the management library for memory, load, heat, power, clocks and processes of every GPU, visible to CUDA or
   * not; the two are matched by UUID. Takes under a millisecond a device once it has run; the first call initialises
   * the libraries. A GPU that has fallen off the bus carries an `error` with the code `ERR_DEVICE_LOST`.
   */
  query(): GpuStates {
    const side = gpuSide();
    const { driverVersion, devices, reason } = side.query();
    const visible = new Map(
      devices.length > 0 ? side.devices().devices.map(({ uuid, id }) => [uuid, id]) : [],
    );
    const numbered = <T extends { readonly uuid: string }>(row: T) => ({
      ...row,
      cudaId: visible.get(row.uuid),
    });
    return {
      driverVersion,
      devices: devices.map((row) => ({ ...numbered(row), slices: row.slices.map(numbered) })),
      reason,
    };
  },

  /** Bytes of the kernels compiled into the addon; 0 where it was built without nvcc. */
  get kernelBytes(): number {
    return gpuSide().kernelBytes;
  },

  /** The memory of a device, by its number. Takes nothing of the device before the first allocation. */
  pool(device: number): DevicePool {
    return new DevicePool(device);
  },

  /** Trims the pools of all devices; resolves with the bytes they got back. */
  async trim(): Promise<number> {
    const freed = await Promise.all(
      gpuSide()
        .devices()
        .devices.map(({ id }) => gpu.pool(id).trim()),
    );
    return freed.reduce((sum, bytes) => sum + bytes, 0);
  },

  preprocess,
};
