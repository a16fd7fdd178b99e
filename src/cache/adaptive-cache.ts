// A cache for any JavaScript values that chooses its own size: grows while that gains hits, shrinks when memory is short.
import { LRUCache } from 'lru-cache';
import type { AccountId, Ledger } from '../contract/index.js';
import { collectGarbage } from '../memory/garbage.js';
import { PRESSURE_LEVELS, type PressureLevel } from '../memory/levels.js';
import { getPressureMonitor } from '../memory/pressure-monitor.js';
import { native } from '../native/load.js';
import { invalidArgument, SpillwayError } from '../util/errors.js';
import { parseSize, type Size } from '../util/sizes.js';
import {
  type AdaptiveCacheOptions,
  type AdaptiveCacheStats,
  type AdaptiveKey,
  type AdaptivePutOptions,
  adaptivePlan,
  lifetime,
  type PressureChange,
  type PressureSource,
} from './adaptive-cache-options.js';
import { AdaptiveSize } from './adaptive-size.js';
import { Shadow } from './shadow.js';
import { stringBytes, ValueBytes } from './value-bytes.js';

interface Entry<V> {
  readonly value: V;
  readonly charge: number;
}

/** What an entry costs beside its key and value: its places in lru-cache, the pair of value and charge. 70 to 137 measured. */
const ENTRY_BYTES = 160;
/** A full collection is worth its pause from here on. */
const COLLECT_BYTES = 8e6;
/** Of what is held, how much stays when a level is reached. */
const STAYS: Partial<Record<PressureLevel, number>> = { HIGH: 0.5, CRITICAL: 0.1 };

/**
 * Least recently used goes first, and what has expired. It starts with 1/64 of the memory that is available and grows
 * by half whenever a larger cache would have had one request in 200 more and memory is calm, up to a quarter of
 * what is available. At HIGH it gives up the colder half of what it holds, at CRITICAL the colder nine tenths, and then
 * has garbage collected. What it holds stands in the ledger under `adaptive-cache`.
 *
 * Values are handed out as they were put in, not copied. Bytes and strings count exactly, other values by estimate
 * (see `ValueBytes`). Belongs to one thread. Dispose of it when done.
 */
export class AdaptiveCache<V = unknown> implements Disposable {
  readonly #ledger: Ledger = native().ledger;
  readonly #account: AccountId = this.#ledger.account('adaptive-cache', 0);
  readonly #entries: LRUCache<AdaptiveKey, Entry<V>>;
  readonly #shadow = new Shadow();
  readonly #bytes = new ValueBytes();
  readonly #size: AdaptiveSize;
  readonly #pressure: PressureSource | undefined;
  readonly #ttlMs: number;
  readonly #counts = { hits: 0, misses: 0, puts: 0, evictions: 0, expirations: 0, refusals: 0 };
  readonly #onLevel = ({ level, previous }: PressureChange) => {
    if (PRESSURE_LEVELS.indexOf(level) > PRESSURE_LEVELS.indexOf(previous)) this.#yield(level);
  };
  readonly #isCalm = () => this.#pressure === undefined || this.#pressure.level === 'NORMAL';
  #used = Shadow.bytes;
  #closed = false;

  constructor(options: AdaptiveCacheOptions = {}) {
    const { pressure, maxBytes, ttlMs, now } = adaptivePlan(options);
    this.#pressure = pressure;
    this.#ttlMs = ttlMs;
    this.#entries = new LRUCache<AdaptiveKey, Entry<V>>({
      // Bounded here instead, because lru-cache cannot change its own bound.
      maxSize: Number.MAX_SAFE_INTEGER,
      sizeCalculation: () => 1,
      ttlResolution: 0,
      perf: { now },
      dispose: (entry, key, reason) => this.#leave(entry.charge, key, reason),
    });
    this.#size = new AdaptiveSize({ available: availableBytes(this.#ledger), most: maxBytes, now });
    this.#ledger.overdraw(this.#account, Shadow.bytes);
    pressure?.on('level', this.#onLevel);
    if (pressure) this.#yield(pressure.level);
  }

  /** The value, the very one that was put in; undefined where there is none. */
  get(key: AdaptiveKey): V | undefined {
    const entry = this.#entries.get(key);
    if (entry) this.#counts.hits++;
    else this.#counts.misses++;
    this.#size.count(entry === undefined && this.#shadow.forget(key), this.#isCalm, this.#used);
    return entry?.value;
  }

  /**
   * Keeps `value`, any but undefined. False where it cannot be kept: larger than the cache is now, or refused by
   * the memory budget with nothing left to evict. The key has no value then.
   */
  put(key: AdaptiveKey, value: V, options?: AdaptivePutOptions): boolean {
    if (value === undefined) throw invalidArgument('value', 'anything but undefined', value);
    if (this.#closed) throw new SpillwayError('ERR_CLOSED', 'this cache has been disposed of');
    const ttl = options?.ttl === undefined ? this.#ttlMs : lifetime(options.ttl);
    const bytes =
      options?.bytes === undefined ? this.#bytes.of(value) : parseSize(options.bytes, 'options.bytes');
    const charge = Math.ceil(bytes) + keyBytes(key) + ENTRY_BYTES;
    this.#entries.delete(key);
    this.#shadow.forget(key);
    if (!this.#makeRoom(charge)) {
      this.#counts.refusals++;
      // A larger cache would have kept it.
      this.#shadow.remember(key);
      return false;
    }
    this.#counts.puts++;
    this.#used += charge;
    this.#entries.set(key, { value, charge }, { ttl });
    return true;
  }

  has(key: AdaptiveKey): boolean {
    return this.#entries.has(key);
  }

  /** Whether there was a value. */
  delete(key: AdaptiveKey): boolean {
    return this.#entries.delete(key);
  }

  /** Removes every value; the size that was found stays. */
  clear(): void {
    this.#entries.clear();
    this.#shadow.clear();
  }

  /** Sets the size by hand, at least 1 MiB, and evicts down to it; the cache goes on adapting from there. */
  resize(bytes: Size): void {
    this.#size.set(parseSize(bytes, 'bytes'));
    this.#evictTo(this.#size.limit);
  }

  /** Evicts what has expired, then the coldest, until `bytes` were given back; returns how many were. */
  shrink(bytes: Size): number {
    const before = this.#used;
    this.#evictTo(before - parseSize(bytes, 'bytes'));
    return before - this.#used;
  }

  stats(): AdaptiveCacheStats {
    const { hits, misses } = this.#counts;
    return {
      limitBytes: this.#size.limit,
      usedBytes: this.#used,
      entries: this.#entries.size,
      ...this.#counts,
      hitRate: hits + misses === 0 ? null : hits / (hits + misses),
      unknown: this.#bytes.unknown,
      grows: this.#size.grows,
      shrinks: this.#size.shrinks,
    };
  }

  /** Removes every value, pays the ledger back and listens no longer; a `put` throws `ERR_CLOSED` from then on. */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#pressure?.off?.('level', this.#onLevel);
    this.clear();
    this.#pay(Shadow.bytes);
  }

  /** Makes the ledger hold `charge` for one more value; false where that cannot be. */
  #makeRoom(charge: number): boolean {
    if (Shadow.bytes + charge > this.#size.limit) return false;
    this.#evictTo(this.#size.limit - charge);
    while (!this.#ledger.charge(this.#account, charge)) if (!this.#entries.pop()) return false;
    return true;
  }

  #evictTo(bytes: number): void {
    if (this.#used <= bytes) return;
    this.#entries.purgeStale();
    while (this.#used > bytes && this.#entries.pop());
  }

  /** An entry has left: pays for it, and remembers its key where a larger cache would have it still. */
  #leave(charge: number, key: AdaptiveKey, reason: LRUCache.DisposeReason): void {
    this.#pay(charge);
    if (reason === 'expire') this.#counts.expirations++;
    if (reason !== 'evict') return;
    this.#counts.evictions++;
    this.#shadow.remember(key);
  }

  #pay(bytes: number): void {
    this.#used -= bytes;
    this.#ledger.credit(this.#account, bytes);
  }

  /** Memory has become short: gives up what the level asks for. */
  #yield(level: PressureLevel): void {
    const stays = STAYS[level];
    if (stays === undefined || this.#closed) return;
    const before = this.#used;
    this.#size.yield(stays, before);
    this.#evictTo(before * stays);
    if (level === 'CRITICAL' && before - this.#used >= COLLECT_BYTES) collectGarbage();
  }
}

let shared: AdaptiveCache | undefined;

/**
 * The adaptive cache of this thread, made at the first call over the pressure monitor, which it starts. `options` count at that call; later ones are refused
 * with `ERR_INVALID_ARGUMENT`. It is there until the thread ends, and must not be disposed of.
 */
export function getAdaptiveCache(options?: AdaptiveCacheOptions): AdaptiveCache {
  if (shared && options)
    throw invalidArgument('options', 'none, since the cache of this thread exists', options);
  if (!shared) {
    const pressure = getPressureMonitor();
    pressure.start();
    shared = new AdaptiveCache({ pressure, ...options });
  }
  return shared;
}

/** What could still be had: under the limit that binds the process, and under the root budget. */
function availableBytes(ledger: Ledger): () => number {
  return () => {
    const { headroomBytes } = native().governor.measure();
    return Math.max(0, Math.min(headroomBytes, ledger.limit(0) - ledger.held(0)));
  };
}

function keyBytes(key: AdaptiveKey): number {
  return typeof key === 'string' ? stringBytes(key) : 0;
}
