// Memory that a reader lends and takes back: native/binding/lender in JavaScript.
import type { AccountId, Ledger } from '../contract/index.js';

/** The buffers of one reader. A buffer that is taken back is detached; its memory goes on in another. */
export class ReaderMemory {
  readonly #ledger: Ledger;
  readonly #account: AccountId;
  readonly #most: number;
  readonly #lent = new Map<ArrayBuffer, { retained: boolean }>();
  #free: ArrayBuffer[] = [];
  /** Buffers of the reader, retained ones not included. */
  #owned = 0;
  #closed = false;

  constructor(ledger: Ledger, account: AccountId, most: number) {
    this.#ledger = ledger;
    this.#account = account;
    this.#most = most;
  }

  /** Whether the reader has no buffer at all, so that none will come back. */
  get isEmpty(): boolean {
    return this.#owned === 0;
  }

  /** A buffer of `bytes`, new or used before; undefined where the bound or the budget has no room for it. */
  take(bytes: number): ArrayBuffer | undefined {
    const at = this.#free.findIndex(({ byteLength }) => byteLength === bytes);
    if (at >= 0) return this.#free.splice(at, 1)[0];
    if (this.#owned - this.#free.length >= this.#most) return undefined;
    this.#drop(...this.#free.splice(0));
    if (!this.#ledger.charge(this.#account, bytes)) return undefined;
    this.#owned++;
    return new ArrayBuffer(bytes);
  }

  lend(buffer: ArrayBuffer): void {
    this.#lent.set(buffer, { retained: false });
  }

  retain(buffer: ArrayBuffer): void {
    const lease = this.#lent.get(buffer);
    if (!lease || lease.retained) return;
    lease.retained = true;
    this.#owned--;
  }

  release(buffer: ArrayBuffer): void {
    const lease = this.#lent.get(buffer);
    if (!this.#lent.delete(buffer)) return;
    // The clone has the memory itself, and every view of the original loses it.
    const memory = structuredClone(buffer, { transfer: [buffer] });
    if (lease?.retained) this.#owned++;
    this.giveBack(memory);
  }

  /** Takes back a buffer that was not lent. */
  giveBack(buffer: ArrayBuffer): void {
    if (this.#closed || this.#owned > this.#most) this.#drop(buffer);
    else this.#free.push(buffer);
  }

  /** Frees what is not lent, and from now on whatever comes back. */
  close(): void {
    this.#closed = true;
    this.#drop(...this.#free.splice(0));
  }

  #drop(...buffers: ArrayBuffer[]): void {
    for (const { byteLength } of buffers) {
      this.#owned--;
      this.#ledger.credit(this.#account, byteLength);
    }
  }
}
