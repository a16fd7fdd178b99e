// A share of the budget, held until released.

/** Bytes set aside in an account of the ledger. Disposable: `using held = await memory.reserve(…)`. */
export class Reservation implements Disposable {
  #bytes: number;
  readonly #giveBack: (bytes: number, last: boolean) => void;

  /** @internal Made by `MemoryManager.reserve`. */
  constructor(bytes: number, giveBack: (bytes: number, last: boolean) => void) {
    this.#bytes = bytes;
    this.#giveBack = giveBack;
  }

  /** Bytes still held. */
  get bytes(): number {
    return Math.max(0, this.#bytes);
  }

  /** Gives back all but `bytes`; never grows. */
  shrinkTo(bytes: number): void {
    const freed = this.#bytes - Math.max(0, bytes);
    if (freed <= 0) return;
    this.#bytes -= freed;
    this.#giveBack(freed, false);
  }

  /** Gives everything back; harmless when repeated. */
  release(): void {
    const freed = this.#bytes;
    if (freed < 0) return;
    this.#bytes = -1;
    this.#giveBack(freed, true);
  }

  [Symbol.dispose](): void {
    this.release();
  }
}
