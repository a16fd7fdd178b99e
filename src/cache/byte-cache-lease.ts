// Cached bytes on loan.
import type { ByteTable } from '../contract/index.js';

/** Pins a cached value until it is released. `using lease = cache.lease(key)`. */
export class CacheLease implements Disposable {
  /** The cached bytes, read-only by contract: others see the same memory. Length 0 after release. */
  readonly bytes: Uint8Array;
  #table: ByteTable | undefined;
  readonly #id: number;

  /** @internal Made by `ByteCache.lease`. */
  constructor(table: ByteTable, id: number, buffer: ArrayBuffer) {
    this.bytes = new Uint8Array(buffer);
    this.#table = table;
    this.#id = id;
    table.forgotten?.register(this, { id, buffer }, this);
  }

  /** Ends the loan; harmless when repeated. */
  release(): void {
    const table = this.#table;
    if (!table) return;
    this.#table = undefined;
    table.forgotten?.unregister(this);
    table.release(this.#id, this.bytes.buffer as ArrayBuffer);
  }

  [Symbol.dispose](): void {
    this.release();
  }
}
