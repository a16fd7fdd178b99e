// A block of device memory.
import type { DeviceBlock } from '../contract/index.js';
import { invalidArgument } from '../util/errors.js';
import { gpuSide } from './side.js';

/** Memory on a device, from {@link DevicePool.allocate}. Disposable; what is forgotten is freed when collected. */
export class DeviceMemory implements Disposable {
  readonly bytes: number;
  readonly #block: DeviceBlock;

  constructor(block: DeviceBlock, bytes: number) {
    this.#block = block;
    this.bytes = bytes;
  }

  /**
   * Fills all of it from the file, from `offset` on: read on several threads into pinned memory while the device
   * copies. Throws `ERR_TRUNCATED` where the file ends early, `ERR_DEVICE_LOST`, or the system's error.
   */
  async uploadFile(path: string, { offset = 0 }: { readonly offset?: number } = {}): Promise<void> {
    if (!Number.isSafeInteger(offset) || offset < 0)
      throw invalidArgument('offset', 'a number of bytes', offset);
    await gpuSide().uploadFile(this.#block, path, offset);
  }

  /** Fills `target` from its start. `target` must neither be changed nor transferred until the promise settles. */
  async download(target: Uint8Array): Promise<void> {
    if (target.byteLength < 1 || target.byteLength > this.bytes)
      throw invalidArgument('target', `1 to ${this.bytes} bytes`, target.byteLength);
    await gpuSide().download(this.#block, target);
  }

  /** Frees it, once work in flight on it has ended. Harmless when repeated; other calls then throw `ERR_CLOSED`. */
  release(): void {
    gpuSide().release(this.#block);
  }

  [Symbol.dispose](): void {
    this.release();
  }
}
