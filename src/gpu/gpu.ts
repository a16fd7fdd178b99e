// What spillway knows of GPUs by itself: the driver's word on the devices, and the kernels the addon carries.
import type { Gpu, GpuDevice } from '../contract/index.js';
import { native, requireCapability } from '../native/load.js';

export type { GpuDevice } from '../contract/index.js';

/** The devices the driver shows; where there is none, why. */
export interface GpuReport {
  readonly devices: readonly GpuDevice[];
  readonly reason: string | undefined;
}

/** The GPUs of this machine. Needs no CUDA package; without an NVIDIA driver it says so. */
export const gpu = {
  /**
   * Asks the CUDA driver, `CUDA_VISIBLE_DEVICES` respected. The first call initialises it, which can block for
   * some 100 ms; it takes no device memory. Throws `ERR_NATIVE_UNAVAILABLE` on the JavaScript path.
   */
  devices(): GpuReport {
    return side().devices();
  },

  /** Bytes of the kernels compiled into the addon; 0 where it was built without nvcc. Throws like `devices`. */
  get kernelBytes(): number {
    return side().kernelBytes;
  },
};

function side(): Gpu {
  requireCapability('gpu', 'asking for GPUs');
  return native().gpu as Gpu;
}
