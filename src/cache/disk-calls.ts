// What a disk cache asks of its worker thread, and how the answers look.
import type { SqliteDriver } from './disk-sqlite.js';

/** Every call with its argument and its answer. ArrayBuffers are transferred; `disk-wire.ts` says what is in them. */
export interface DiskCalls {
  /** Opens the database. The first call, once. */
  open: { argument: { databaseFile: string; maxBytes: number | null }; answer: SqliteDriver };
  find: { argument: { keys: ArrayBuffer; now: number }; answer: Found };
  /** One byte for each key: 1 where there is an entry. */
  has: { argument: { keys: ArrayBuffer; now: number }; answer: Uint8Array };
  write: { argument: { changes: ArrayBuffer; now: number }; answer: null };
  clear: { argument: null; answer: null };
  stats: { argument: null; answer: DiskFigures };
  /** Reads some entries behind `after`, all of them by and by; `next` is null at the end. */
  verify: { argument: { after: number }; answer: { next: number | null; checked: number; corrupt: number } };
  /** Files without an entry in one of the 256 folders of objects. */
  orphans: { argument: { folder: number; remove: boolean }; answer: number };
  /** One bounded step; null once there is nothing left to do. */
  prune: { argument: { now: number; maxBytes: number | null }; answer: PruneStep | null };
  /** Gives free space back to the file system. */
  compact: { argument: null; answer: null };
  /** Closes the database; the thread ends after the answer. */
  close: { argument: null; answer: null };
}

export interface Found {
  readonly packed: ArrayBuffer;
  /** Values from files of their own, in the order of their keys. */
  readonly objects: readonly ArrayBuffer[];
}

export interface DiskFigures {
  readonly entries: number;
  /** Lengths of the database's files, and of the objects in whole blocks of 4 KiB. */
  readonly bytes: number;
  readonly evictions: number;
}

export interface PruneStep {
  readonly expired: number;
  readonly evicted: number;
}

export interface DiskRequest {
  readonly id: number;
  readonly call: keyof DiskCalls;
  readonly argument: unknown;
}

export type DiskAnswer =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: { readonly code: string; readonly message: string } };
