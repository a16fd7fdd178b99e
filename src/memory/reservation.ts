// A share of the budget, held until released.

/** Where a reservation is booked. */
interface Holder {
  giveBack(bytes: number, last: boolean): void;
  /** Books what is left under another name. */
  move(account: string, bytes: number): void;
}

/** Bytes set aside in an account of the ledger. Disposable: `using held = await memory.reserve(…)`. */
export class Reservation implements Disposable {
  #bytes: number;
  readonly #holder: Holder;

  /** @internal Made by `MemoryManager.reserve`. */
  constructor(bytes: number, holder: Holder) {
    this.#bytes = bytes;
    this.#holder = holder;
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
    this.#holder.giveBack(freed, false);
  }

  /** Gives back all but `bytes` and books those under another account: what they are for has changed. */
  become(account: string, bytes: number): void {
    this.shrinkTo(bytes);
    this.#holder.move(account, this.bytes);
  }

  /** Gives everything back; harmless when repeated. */
  release(): void {
    const freed = this.#bytes;
    if (freed < 0) return;
    this.#bytes = -1;
    this.#holder.giveBack(freed, true);
  }

  [Symbol.dispose](): void {
    this.release();
  }
}
