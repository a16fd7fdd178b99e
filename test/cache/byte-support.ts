// Caches and values for the tests of byte caches.
import { ByteCache } from '../../src/cache/byte-cache.js';
import { type ByteCacheOptions, MANUAL_CLOCK } from '../../src/cache/byte-cache-options.js';
import { native } from '../../src/native/load.js';

/** A cache whose clock only `advance` moves. */
export function withManualClock(options: ByteCacheOptions): ByteCache {
  return new ByteCache({ ...options, [MANUAL_CLOCK]: true } as ByteCacheOptions);
}

/** Bytes that tell the key, the version and their place apart, so that any mix-up shows. */
export function patternOf(key: string, version: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = version * 2654435761 + 97;
  for (let i = 0; i < key.length; i++) state = (Math.imul(state, 31) + key.charCodeAt(i)) | 0;
  for (let i = 0; i < length; i++) {
    bytes[i] = state >>> 24;
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
  }
  return bytes;
}

/** What the ledger holds under an account of the host. */
export function accountBytes(name: string): number {
  return native()
    .ledger.snapshot()
    .filter((row) => row.name === name)
    .reduce((sum, row) => sum + row.bytes, 0);
}

let serial = 0;
export const freshName = (): string => `test-${process.pid}-${serial++}`;

/** Whether both hold the same bytes: comparing large arrays element by element takes vitest seconds. */
export function same(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && Buffer.compare(a, b) === 0;
}
