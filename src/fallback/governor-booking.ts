// The governor's entries in the ledger, as native/memory/governor_booking makes them.
import type { AccountId, PressureReading } from '../contract/index.js';
import type { StorageLedger } from './ledger.js';

type Seen = Pick<PressureReading, 'budgetBytes' | 'headroomBytes'>;

/** Of the root limit: where `ELEVATED` begins. */
const STORAGE_SHARE = 0.7;
/** Of the root limit, while it is calm. */
const GROWTH_PER_SECOND = 1 / 32;

/** The root limit, what is unmanaged, how far storage may go. */
export class Booking {
  readonly #ledger: StorageLedger;
  readonly #account: AccountId;
  #base = 0;
  /** What was beyond the accounts when last nothing was estimated. */
  #floor = 0;
  #withheld = 0;

  constructor(ledger: StorageLedger) {
    this.#ledger = ledger;
    this.#account = ledger.account('unmanaged', 0);
  }

  /** A plan begins: what is used beyond the accounts now is the least that will be booked as unmanaged. */
  begin(seen: Seen): void {
    this.#withheld = 0;
    this.#base = this.#beyond(seen);
    this.#floor = this.#base;
    this.book(seen);
  }

  /** Makes what the ledger still grants equal to the headroom. */
  book(seen: Seen): void {
    const beyond = this.#beyond(seen);
    // Estimates err on the high side, so what lies beyond the accounts is only known while none is outstanding.
    if (this.#ledger.estimated() === 0) this.#floor = Math.max(this.#base, beyond);
    const change = Math.max(this.#floor, beyond) - this.unmanaged;
    if (change > 0) this.#ledger.overdraw(this.#account, change);
    else this.#ledger.credit(this.#account, -change);
    this.#ledger.setLimit(0, seen.budgetBytes);
    this.#setCeiling(this.#most() - this.#withheld);
  }

  /** Lifts the root limit and takes everything back. */
  end(): void {
    this.#ledger.credit(this.#account, this.unmanaged);
    this.#ledger.setLimit(0, Number.POSITIVE_INFINITY);
    this.#ledger.setStorageCeiling(Number.POSITIVE_INFINITY);
  }

  get unmanaged(): number {
    return this.#ledger.held(this.#account);
  }

  get base(): number {
    return this.#base;
  }

  /** Storage may not grow beyond what is held now, until it is let grow. */
  holdStorage(): void {
    this.#setCeiling(Math.min(this.#ledger.held(0), this.#most() - this.#withheld));
  }

  letStorageGrow(calmSeconds: number): void {
    const growth = this.#ledger.limit(0) * GROWTH_PER_SECOND * calmSeconds;
    this.#setCeiling(this.#most() - this.#withheld + growth);
  }

  /** Used, but in no account. */
  #beyond({ budgetBytes, headroomBytes }: Seen): number {
    const accounted = this.#ledger.held(0) - this.unmanaged;
    return Math.max(0, budgetBytes - headroomBytes - accounted);
  }

  #most(): number {
    return Math.floor(this.#ledger.limit(0) * STORAGE_SHARE);
  }

  #setCeiling(bytes: number): void {
    const ceiling = Math.min(Math.max(0, bytes), this.#most());
    this.#withheld = this.#most() - ceiling;
    this.#ledger.setStorageCeiling(ceiling);
  }
}
