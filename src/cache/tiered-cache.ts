// Several caches as one, the fastest first: what a lower one has is promoted, what is set goes to all.
import * as v from 'valibot';
import type { CacheKey } from '../contract/index.js';
import { type Duration, parseDuration } from '../util/durations.js';
import { invalidArgument } from '../util/errors.js';
import { parseOptions } from '../util/options.js';

type Awaitable<T> = T | Promise<T>;

export interface TierSetOptions {
  readonly ttl?: Duration;
}

/** What a cache must offer to be a tier; `ByteCache` and `DiskCache` do. Answers may be promises. */
export interface CacheTier {
  /** The values in the order of the keys, undefined where there is none. */
  getMany(keys: readonly CacheKey[]): Awaitable<readonly (Uint8Array | undefined)[]>;
  /** What it returns is not looked at: a tier that has no room for a value is just one without it. */
  set(key: CacheKey, bytes: Uint8Array, options?: TierSetOptions): Awaitable<unknown>;
  delete(key: CacheKey): Awaitable<unknown>;
}

export interface TieredCacheOptions {
  /**
   * How long a promoted value lives in the tiers above the one it was found in, which do not know how much of its
   * time is left. Their own default unless told.
   */
  readonly promotionTtl?: Duration;
}

export interface TieredCacheStats {
  /** Values found in each tier, in the order of the tiers. */
  readonly hits: readonly number[];
  /** Keys that no tier had. */
  readonly misses: number;
}

const optionsSchema = v.strictObject({ promotionTtl: v.optional(v.union([v.number(), v.string()])) });

/** The tiers belong to the caller, who closes them. */
export class TieredCache {
  readonly #tiers: readonly CacheTier[];
  readonly #promotion: TierSetOptions | undefined;
  readonly #hits: number[];
  #misses = 0;
  /** For each lookup under way the keys that were changed since it began: what it found of them may be old. */
  readonly #changed = new Set<Set<string>>();

  constructor(tiers: readonly CacheTier[], options: TieredCacheOptions = {}) {
    const { promotionTtl } = parseOptions(optionsSchema, options, 'options');
    if (tiers.length === 0) throw invalidArgument('tiers', 'at least one cache', tiers);
    this.#tiers = [...tiers];
    this.#hits = tiers.map(() => 0);
    if (promotionTtl !== undefined)
      this.#promotion = { ttl: parseDuration(promotionTtl, 'options.promotionTtl') };
  }

  /** A key's value from the first tier that has it; undefined where none has. */
  async get(key: CacheKey): Promise<Uint8Array | undefined> {
    return (await this.getMany([key]))[0];
  }

  /**
   * The values of many keys, in their order. Each tier is asked once, for what those above it lack; what it finds
   * is set in all of them.
   */
  async getMany(keys: readonly CacheKey[]): Promise<(Uint8Array | undefined)[]> {
    const values: (Uint8Array | undefined)[] = keys.map(() => undefined);
    let missing = keys.map((key, at) => ({ key, at }));
    const changed = new Set<string>();
    this.#changed.add(changed);
    try {
      for (const [depth, tier] of this.#tiers.entries()) {
        const found = await tier.getMany(missing.map(({ key }) => key));
        const promotions: Promise<void>[] = [];
        const wanted = missing.length;
        missing = missing.filter(({ key, at }, i) => {
          const value = found[i];
          if (!value) return true;
          values[at] = value;
          if (depth > 0 && !changed.has(nameOf(key))) promotions.push(this.#promote(key, value, depth));
          return false;
        });
        this.#hits[depth] = (this.#hits[depth] ?? 0) + wanted - missing.length;
        await Promise.all(promotions);
        if (missing.length === 0) break;
      }
    } finally {
      this.#changed.delete(changed);
    }
    this.#misses += missing.length;
    return values;
  }

  /** Sets a value in every tier; resolves once all have taken it, rejects with the first failure. */
  async set(key: CacheKey, bytes: Uint8Array, options?: TierSetOptions): Promise<void> {
    this.#note(key);
    await Promise.all(this.#tiers.map((tier) => tier.set(key, bytes, options)));
  }

  /** {@link TieredCache.set} for many. */
  async setMany(entries: Iterable<readonly [CacheKey, Uint8Array, TierSetOptions?]>): Promise<void> {
    await Promise.all(Array.from(entries, ([key, bytes, options]) => this.set(key, bytes, options)));
  }

  /** Removes a value from every tier. */
  async delete(key: CacheKey): Promise<void> {
    this.#note(key);
    await Promise.all(this.#tiers.map((tier) => tier.delete(key)));
  }

  stats(): TieredCacheStats {
    return { hits: [...this.#hits], misses: this.#misses };
  }

  async #promote(key: CacheKey, value: Uint8Array, depth: number): Promise<void> {
    await Promise.all(this.#tiers.slice(0, depth).map((tier) => tier.set(key, value, this.#promotion)));
  }

  #note(key: CacheKey): void {
    for (const changed of this.#changed) changed.add(nameOf(key));
  }
}

function nameOf(key: CacheKey): string {
  const bytes = typeof key === 'string' ? Buffer.from(key) : key;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
