// How much memory is in use, and how much of it no account explains.
import type { AccountFigures, AccountId, Ledger } from '../contract/index.js';
import type { MemoryLimit } from './limit.js';

/** The account of what is used beyond the others: V8, libraries, others under the same limit. */
export const UNMANAGED = 'unmanaged';

/** Measures one process for its memory manager and books the rest as {@link UNMANAGED}. */
export class Usage {
  readonly #ledger: Ledger;
  readonly #limit: MemoryLimit;
  readonly #bySize: boolean;
  readonly #account: AccountId;
  readonly #outside = new Set<() => number>();
  /** What was there beyond the accounts when this was made: it never takes less than that. */
  readonly #base: number;
  /** What was there beyond the accounts when last nothing was estimated. */
  #floor: number;

  /** `bySize`: the resident memory of this process and its children counts; else the working set under the limit. */
  constructor(ledger: Ledger, limit: MemoryLimit, bySize: boolean) {
    this.#ledger = ledger;
    this.#limit = limit;
    this.#bySize = bySize;
    this.#account = ledger.account(UNMANAGED, 0);
    this.#base = this.#beyond();
    this.#floor = this.#base;
  }

  /** Counts memory of another process of ours; returns the undo. */
  include(bytesOf: () => number): () => void {
    this.#outside.add(bytesOf);
    return () => this.#outside.delete(bytesOf);
  }

  /** Bytes in use now. */
  used(): number {
    if (!this.#bySize) return this.#limit.workingSet();
    let bytes = process.memoryUsage.rss();
    for (const bytesOf of this.#outside) bytes += bytesOf();
    return bytes;
  }

  /** Bytes that stay whatever is given back: what was there from the start, and exact accounts. */
  lasting(): number {
    const host = this.#ledger.snapshot()[0] as AccountFigures;
    return this.#base + host.bytes - this.unmanaged();
  }

  /** Bytes booked as unmanaged. */
  unmanaged(): number {
    return this.#ledger.held(this.#account);
  }

  /** Books what no account explains. `estimated`: whether reservations are outstanding. */
  measure(estimated: boolean): void {
    const beyond = this.#beyond();
    // Estimates err on the high side, so what lies beyond the accounts is only known while none is outstanding.
    if (!estimated) this.#floor = Math.max(this.#base, beyond);
    const change = Math.max(this.#floor, beyond) - this.unmanaged();
    if (change > 0) this.#ledger.overdraw(this.#account, change);
    else this.#ledger.credit(this.#account, -change);
  }

  /** Takes the booking back. */
  clear(): void {
    this.#ledger.credit(this.#account, this.unmanaged());
  }

  /** What is used beyond what the accounts explain. */
  #beyond(): number {
    return Math.max(0, this.used() - (this.#ledger.held(0) - this.unmanaged()));
  }
}
