/** A GPU as its driver describes it. */
export interface GpuDevice {
  /** CUDA's number for it, by which pools are named. */
  readonly id: number;
  readonly name: string;
  /** As `nvidia-smi` writes it: `GPU-…`, or `MIG-…` for a slice of a partitioned GPU. */
  readonly uuid: string;
  /** Bytes of device memory. */
  readonly totalBytes: number;
  readonly computeCapability: string;
}

/** Bytes of device memory; what the driver reserves for itself is not part of `usedBytes`. */
export interface GpuMemory {
  readonly totalBytes: number;
  readonly reservedBytes: number;
  readonly freeBytes: number;
  readonly usedBytes: number;
}

/** Why a GPU does not run at its full clocks, by the management library's names. */
export type ThrottleReason =
  | 'idle'
  | 'applications-clocks'
  | 'power-cap'
  | 'hardware-slowdown'
  | 'sync-boost'
  | 'thermal'
  | 'hardware-thermal'
  | 'power-brake'
  | 'display-clocks';

/** A GPU as the management library sees it now. What the device or its driver does not support is undefined. */
export interface GpuState {
  /** The management library's number, in the order of the bus. */
  readonly index: number;
  /** `''` where even this cannot be read; then `error` says why. */
  readonly uuid: string;
  readonly name: string;
  readonly memory?: GpuMemory;
  /** Share of the last sample period in which a kernel ran, and in which memory was read or written. */
  readonly utilisationPercent?: number;
  readonly memoryUtilisationPercent?: number;
  readonly celsius?: number;
  /** Where the device begins to slow itself down; older ones than Ada tell. */
  readonly slowdownCelsius?: number;
  readonly watts?: number;
  readonly wattsLimit?: number;
  readonly graphicsMHz?: number;
  readonly smMHz?: number;
  readonly memoryMHz?: number;
  readonly throttleReasons?: readonly ThrottleReason[];
  /** Processes that compute on it; in a container, those of the container. */
  readonly processes?: readonly { readonly pid: number; readonly usedBytes?: number }[];
  /** Whether it is partitioned. */
  readonly mig?: boolean;
  readonly slices: readonly { readonly uuid: string; readonly memory?: GpuMemory }[];
  /** `ERR_DEVICE_LOST` where the GPU has fallen off the bus, `ERR_DEVICE_UNAVAILABLE` where it cannot be asked. */
  readonly error?: Error;
}

/** What one pool of device memory holds. All figures are bytes but `allocations`. */
export interface DevicePoolStats {
  /** Allocations alive, and the most there were. */
  readonly usedBytes: number;
  readonly peakBytes: number;
  /** What the pool holds of the device, free blocks included. */
  readonly reservedBytes: number;
  /** `Infinity` unless set. */
  readonly limitBytes: number;
  /** Their number. */
  readonly allocations: number;
  readonly accounts: Readonly<
    Record<string, { readonly bytes: number; readonly reserved: number; readonly peak: number }>
  >;
}

/** A block of device memory; only the addon looks inside. */
export type DeviceBlock = object & { readonly __deviceBlock: unique symbol };

/** Interleaved rows of bytes. */
export interface RawImage {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  /** Bytes from one row to the next. */
  readonly rowBytes: number;
}

/** How images become a model's inputs: final values. */
export interface PreprocessPlan {
  /** A device's number, or -1 for the CPU. */
  readonly device: number;
  /** Bytes a pixel: 1, 3 or 4, of which the fourth is left out. */
  readonly channels: number;
  readonly width: number;
  readonly height: number;
  readonly antialias: boolean;
  readonly half: boolean;
  readonly planar: boolean;
  /** A sample is value * scale + bias, by channel. */
  readonly scale: readonly number[];
  readonly bias: readonly number[];
}

/** What ONNX Runtime's CUDA provider takes as options of these names: addresses of C functions. */
export interface ExternalAllocator {
  readonly gpu_external_alloc: string;
  readonly gpu_external_free: string;
  readonly gpu_external_empty_cache: string;
}

/** The GPU side of the addon. No CUDA package is needed for any of it. */
export interface Gpu {
  /** The devices the driver shows, or why there is none. */
  devices(): { readonly devices: readonly GpuDevice[]; readonly reason: string | undefined };
  /**
   * The devices that Vulkan drivers show, or why there is none; `software`: it computes on the CPU. Loads the drivers,
   * one of which may crash: to be asked in a process of its own.
   */
  vulkanDevices(): {
    readonly devices: readonly { readonly name: string; readonly software: boolean }[];
    readonly reason: string | undefined;
  };
  /** The state of every GPU of the machine, or why there is none. */
  query(): {
    readonly driverVersion: string | undefined;
    readonly devices: readonly GpuState[];
    readonly reason: string | undefined;
  };
  /** Bytes of the kernels compiled into the addon; 0 where it was built without nvcc. */
  readonly kernelBytes: number;
  /** Takes nothing of a device that has not been used. */
  poolStats(device: number): DevicePoolStats;
  setPoolLimit(device: number, bytes: number): void;
  /** Gives free memory of the pool back to the device; resolves with the bytes. */
  trimPool(device: number): Promise<number>;
  /** The first one on a device opens it, which can take a second. */
  allocate(device: number, bytes: number): Promise<DeviceBlock>;
  /** Frees the block once work in flight on it has ended. Harmless when repeated. */
  release(block: DeviceBlock): void;
  /** Fills the whole block from a file. */
  uploadFile(block: DeviceBlock, path: string, offset: number): Promise<void>;
  /** Fills the whole of `target` from the start of the block. */
  download(block: DeviceBlock, target: Uint8Array): Promise<void>;
  externalAllocator(device: number): ExternalAllocator;
  /** Fills `output` with one input per image; resolves with the kernel's milliseconds, 0 on the CPU. */
  preprocess(images: readonly RawImage[], plan: PreprocessPlan, output: ArrayBuffer): Promise<number>;
}
