/** A byte cache with every decision taken: plain final values. */
export interface CachePlan {
  /** Caches of one name are one cache, in every thread; empty: private to whoever opens it. */
  readonly name: string;
  readonly maxBytes: number;
  /** Of entries that do not say otherwise; 0: they never expire. */
  readonly ttlMs: number;
  /** For tests: time stands still until `advanceClock`. */
  readonly manualClock: boolean;
}

/** A string, or bytes; `'a'` and the byte 97 are different keys. At most 65535 bytes, as UTF-8. */
export type CacheKey = string | Uint8Array;

/** What a cache holds and did. */
export interface CacheStats {
  readonly maxBytes: number;
  /** Bytes that count against `maxBytes`: values, keys, metadata and what is lost between them. */
  readonly usedBytes: number;
  /** Bytes of the values alone. */
  readonly payloadBytes: number;
  /** What expired within the last 128 ms may still be counted. */
  readonly entries: number;
  /** Leases not yet released. */
  readonly leases: number;
  readonly hits: number;
  readonly misses: number;
  readonly sets: number;
  readonly evictions: number;
  readonly expirations: number;
  /** Sets that were refused because the value did not fit. */
  readonly refusals: number;
}

/** An open cache. Every function may be called while other threads use the same cache. */
export interface ByteTable {
  /**
   * Copies `bytes` in. `ttlMs`: -1 for that of the plan, 0 for never. False where the value cannot fit; the key
   * has no value then.
   */
  set(key: CacheKey, bytes: Uint8Array, ttlMs: number): boolean;
  /**
   * Copies the value to `target` from `offset` on. Its length; -1 where there is none; -2 - n where its n bytes
   * do not fit, and nothing was copied. `use` counts the call as a use of the entry, a hit or a miss.
   */
  read(key: CacheKey, target: Uint8Array, offset: number, use: boolean): number;
  /** A buffer of its own over the cached bytes, and its number in `leaseId[0]`; or undefined. A use. */
  lease(key: CacheKey): ArrayBuffer | undefined;
  readonly leaseId: Uint32Array;
  /** Ends a lease: `buffer` has length 0 afterwards. */
  release(id: number, buffer: ArrayBuffer): void;
  /** Where buffers that are collected do not end their lease by themselves: what is registered here does. */
  readonly forgotten?: FinalizationRegistry<{ readonly id: number; readonly buffer: ArrayBuffer }>;
  has(key: CacheKey): boolean;
  delete(key: CacheKey): boolean;
  clear(): void;
  /** Sets the limit and evicts down to it. */
  resize(maxBytes: number): void;
  /** Evicts until `bytes` have been given back; returns how many were. */
  shrink(bytes: number): number;
  stats(): CacheStats;
  keys(): CacheKey[];
  /** Moves a manual clock. */
  advanceClock(ms: number): void;
}
