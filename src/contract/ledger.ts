/** A ledger account, by its number. Numbers are stable for the life of the process. */
export type AccountId = number;

/** What one account holds. All figures are bytes. */
export interface AccountFigures {
  readonly name: string;
  /** Measured exactly: charged before the allocation, credited at the actual free. */
  readonly bytes: number;
  /** Set aside by estimate for memory that is not ours to measure (decoders, SQLite). */
  readonly reserved: number;
  /** Highest `bytes + reserved` seen. */
  readonly peak: number;
}

/**
 * The one ledger of bytes of this process. An account belongs to a parent; a charge is taken from the account
 * and from every ancestor, and is refused as a whole if any of them would exceed its limit. Account 0 is the
 * host: its limit is the root budget.
 */
export interface Ledger {
  /** Finds or opens the account `name` under `parent` (the host, 0, unless told). */
  account(name: string, parent: AccountId): AccountId;
  /** Sets the limit of an account; `Infinity` lifts it. */
  setLimit(account: AccountId, bytes: number): void;
  limit(account: AccountId): number;
  /** Charges exact bytes; false, and nothing charged, where a limit on the way up would be exceeded. */
  charge(account: AccountId, bytes: number): boolean;
  /** Charges exact bytes whatever the limits say: for memory that exists already. */
  overdraw(account: AccountId, bytes: number): void;
  /** Pays exact bytes back. */
  credit(account: AccountId, bytes: number): void;
  /** Like `charge`, for an estimate. */
  reserve(account: AccountId, bytes: number): boolean;
  /** Pays an estimate back. */
  unreserve(account: AccountId, bytes: number): void;
  /** Moves an estimate to another account, whatever the limits say: nothing is added. */
  transfer(from: AccountId, to: AccountId, bytes: number): void;
  /** Bytes and reservations of an account, its descendants included. */
  held(account: AccountId): number;
  /** Every account with its own figures, in order of number; entry 0 is the host with the sum of all. */
  snapshot(): AccountFigures[];
}
