// What the result store asks of its worker thread, and how the answers look.
import type { SqliteDriver } from './sqlite-driver.js';

/** Every call with its argument and its answer. ArrayBuffers are transferred; `wire.ts` says what is in them. */
export interface StoreCalls {
  /** Opens the database file. The first call, once. */
  open: { argument: string; answer: SqliteDriver };
  fingerprint: { argument: string; answer: number };
  find: { argument: ArrayBuffer; answer: ArrayBuffer };
  write: { argument: ArrayBuffer; answer: null };
  /** Closes the database; the thread ends after the answer. */
  close: { argument: null; answer: null };
}

export interface StoreRequest {
  readonly id: number;
  readonly call: keyof StoreCalls;
  readonly argument: unknown;
}

export type StoreAnswer =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: { readonly code: string; readonly message: string } };
