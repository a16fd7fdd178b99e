// A cache of bytes: bounded by bytes, least recently used and time to live together, shared by name.
import { isMainThread } from 'node:worker_threads';
import type { ByteTable, CacheKey, CacheStats } from '../contract/index.js';
import { native, requireCapability } from '../native/load.js';
import { invalidArgument } from '../util/errors.js';
import { Flights } from './byte-cache-flights.js';
import { CacheLease } from './byte-cache-lease.js';
import { type ByteCacheOptions, type CacheSetOptions, cachePlan, lifetimeOf } from './byte-cache-options.js';

/**
 * Values up to this length are handed out as views on a shared buffer, like Node's own small Buffers: a buffer
 * for each would cost more than the copy.
 */
const POOLED_BYTES = 4096;
const POOL_BYTES = 64 * 1024;

/**
 * A cache of bytes outside the JavaScript heap. What is set is copied in, what is got is copied out; `lease`
 * lends without a copy. `maxBytes` bounds values, keys and metadata together, as they are committed: the ledger
 * shows them under `cache:<name>`.
 *
 * A named cache is the same in every thread and stays until the process ends; opening it with other options
 * throws `ERR_INVALID_ARGUMENT`. Names need the addon in worker threads (`ERR_NATIVE_UNAVAILABLE`).
 */
export class ByteCache {
  readonly #table: ByteTable;
  readonly #flights: Flights;
  #pool = new Uint8Array(0);
  #poolUsed = 0;

  constructor(options: ByteCacheOptions) {
    const plan = cachePlan(options);
    if (plan.name !== '' && !isMainThread)
      requireCapability('shared-cache', 'a named cache in a worker thread');
    this.#table = native().openCache(plan);
    this.#flights = Flights.of(plan.name);
  }

  /**
   * Copies `bytes` in. False where they cannot fit: larger than the cache, or refused by the memory budget with
   * nothing left to evict. The key has no value then.
   */
  set(key: CacheKey, bytes: Uint8Array, options?: CacheSetOptions): boolean {
    return this.#table.set(key, bytes, options === undefined ? -1 : lifetimeOf(options));
  }

  /** A copy of the value, the caller's own; undefined where there is none. */
  get(key: CacheKey): Uint8Array | undefined {
    return this.#copy(key, true);
  }

  /** Like `get`, but not a use: neither the order of eviction nor hits and misses change. */
  peek(key: CacheKey): Uint8Array | undefined {
    return this.#copy(key, false);
  }

  /**
   * Copies the value to the beginning of `target`. The bytes written; undefined where there is no value. Throws
   * `ERR_INVALID_ARGUMENT` where `target` is too short.
   */
  getInto(key: CacheKey, target: Uint8Array): number | undefined {
    const length = this.#table.read(key, target, 0, true);
    if (length >= 0) return length;
    if (length === -1) return undefined;
    throw invalidArgument('target', `at least ${-2 - length} bytes`, target.length);
  }

  /** One value, or undefined, for each key, in order. */
  getMany(keys: Iterable<CacheKey>): (Uint8Array | undefined)[] {
    return Array.from(keys, (key) => this.#copy(key, true));
  }

  /** Sets each entry; returns how many fitted. */
  setMany(entries: Iterable<readonly [key: CacheKey, bytes: Uint8Array, options?: CacheSetOptions]>): number {
    let fitted = 0;
    for (const [key, bytes, options] of entries) if (this.set(key, bytes, options)) fitted++;
    return fitted;
  }

  /**
   * Lends the cached bytes without copying them; undefined where there is no value. They stay as they are until
   * released, whatever happens to the key meanwhile; they are read-only by contract and cannot be transferred.
   * `using lease = cache.lease(key)`. A lease that is forgotten ends when it is collected.
   */
  lease(key: CacheKey): CacheLease | undefined {
    const table = this.#table;
    const buffer = table.lease(key);
    return buffer && new CacheLease(table, table.leaseId[0] as number, buffer);
  }

  has(key: CacheKey): boolean {
    return this.#table.has(key);
  }

  /** Whether there was a value. */
  delete(key: CacheKey): boolean {
    return this.#table.delete(key);
  }

  /** Removes every entry and gives the memory back; what is leased follows when it is released. */
  clear(): void {
    this.#table.clear();
  }

  /** Sets `maxBytes` and evicts down to it. */
  resize(maxBytes: ByteCacheOptions['maxBytes']): void {
    this.#table.resize(cachePlan({ maxBytes }).maxBytes);
  }

  /**
   * Evicts, coldest first, until `bytes` have been given back to the system; returns how many were: fewer where
   * that is all there is, or where leases hold the rest. The limit stays.
   */
  shrink(bytes: ByteCacheOptions['maxBytes']): number {
    return this.#table.shrink(cachePlan({ maxBytes: bytes }).maxBytes);
  }

  stats(): CacheStats {
    return this.#table.stats();
  }

  /** The keys there are now, in no particular order. */
  keys(): CacheKey[] {
    return this.#table.keys();
  }

  /**
   * The value of `key`, loaded and set where there is none. While one call of this thread loads a key, others
   * wait for it; each gets bytes of its own. Where the loader fails all of them reject with its error, and the
   * next call loads again. A value that does not fit is handed over without being cached.
   */
  async wrap(
    key: CacheKey,
    load: () => Promise<Uint8Array> | Uint8Array,
    options?: CacheSetOptions,
  ): Promise<Uint8Array> {
    const cached = this.#copy(key, true);
    if (cached) return cached;
    return this.#flights.join(key, async () => {
      const bytes = await load();
      if (!(bytes instanceof Uint8Array))
        throw invalidArgument('the result of the loader', 'a Uint8Array', bytes);
      this.set(key, bytes, options);
      return bytes;
    });
  }

  /**
   * Moves the clock of a cache made with `MANUAL_CLOCK`.
   * @internal
   */
  advance(ms: number): void {
    this.#table.advanceClock(ms);
  }

  #copy(key: CacheKey, use: boolean): Uint8Array | undefined {
    const offset = this.#poolUsed;
    const length = this.#table.read(key, this.#pool, offset, use);
    if (length >= 0) {
      this.#poolUsed = (offset + length + 7) & ~7;
      return new Uint8Array(this.#pool.buffer, offset, length);
    }
    return length === -1 ? undefined : this.#copyLonger(key, use, -2 - length);
  }

  #copyLonger(key: CacheKey, use: boolean, bytes: number): Uint8Array | undefined {
    if (bytes <= POOLED_BYTES) {
      this.#pool = new Uint8Array(POOL_BYTES);
      this.#poolUsed = 0;
      return this.#copy(key, use);
    }
    // Uncleared, for every byte of it is written.
    const target = Buffer.allocUnsafeSlow(bytes);
    const length = this.#table.read(key, target, 0, use);
    // Another thread may have set it anew since.
    if (length < -1) return this.#copyLonger(key, use, -2 - length);
    return length === -1 ? undefined : new Uint8Array(target.buffer, 0, length);
  }
}
