/** A GPU as its driver describes it. */
export interface GpuDevice {
  readonly id: number;
  readonly name: string;
  readonly uuid: string;
  /** Bytes of device memory. */
  readonly totalBytes: number;
  readonly computeCapability: string;
}

/** What is known of the GPU side without any CUDA package installed. */
export interface Gpu {
  /** The devices the driver shows, or why there is none. */
  devices(): { readonly devices: readonly GpuDevice[]; readonly reason: string | undefined };
  /** Bytes of the kernels compiled into the addon; 0 where it was built without nvcc. */
  readonly kernelBytes: number;
}
