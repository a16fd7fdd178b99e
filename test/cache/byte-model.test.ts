// Random operations against a plain Map: what the cache holds is what was set last, within its bytes.
// SPILLWAY_CACHE_MINUTES=10 runs it for that long, on one thread and on four workers.
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ByteCache } from '../../src/cache/byte-cache.js';
import type { CacheLease } from '../../src/cache/byte-cache-lease.js';
import { overNative } from '../support/paths.js';
import { accountBytes, freshName, patternOf, same, withManualClock } from './byte-support.js';

const MINUTES = Number(process.env.SPILLWAY_CACHE_MINUTES || 0);
const WORKER = fileURLToPath(new URL('./byte-worker.mjs', import.meta.url));

interface Known {
  version: number;
  length: number;
  /** On the manual clock. */
  expires: number;
}

interface Step {
  kind:
    | 'set'
    | 'get'
    | 'peek'
    | 'into'
    | 'delete'
    | 'lease'
    | 'release'
    | 'tick'
    | 'shrink'
    | 'resize'
    | 'clear';
  key: number;
  size: number;
  amount: number;
}

/** The cache, and what it may hold: less than the model where it evicted, never anything else. */
class Subject {
  /** Private caches share one account; what this one charges is what it grew by. */
  readonly #before = accountBytes('cache');
  readonly maxBytes: number;
  readonly cache: ByteCache;
  readonly #model = new Map<string, Known>();
  readonly #leases: { lease: CacheLease; bytes: Uint8Array }[] = [];
  readonly #target = new Uint8Array(1 << 20);
  #limit: number;
  #version = 0;
  #now = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
    this.#limit = maxBytes;
    this.cache = withManualClock({ maxBytes });
  }

  apply({ kind, key: number, size, amount }: Step): void {
    const key = `key-${number}${'.'.repeat(number % 40)}`;
    const { cache } = this;
    if (kind === 'set') this.#set(key, size, amount);
    else if (kind === 'get') this.#verify(key, cache.get(key));
    else if (kind === 'peek') this.#verify(key, cache.peek(key));
    else if (kind === 'into') {
      const length = cache.getInto(key, this.#target);
      this.#verify(key, length === undefined ? undefined : this.#target.subarray(0, length));
    } else if (kind === 'delete') {
      const had = cache.delete(key);
      expect(had && !this.#live(key)).toBe(false);
      this.#model.delete(key);
    } else if (kind === 'lease') this.#lease(key);
    else if (kind === 'release') this.#release(amount);
    else if (kind === 'tick') {
      this.#now += amount;
      cache.advance(amount);
    } else if (kind === 'shrink') cache.shrink(1 + amount * 100);
    else if (kind === 'resize') {
      this.#limit = Math.ceil((this.maxBytes * (1 + (amount % 4))) / 4);
      cache.resize(this.#limit);
    } else {
      cache.clear();
      this.#model.clear();
    }
  }

  /** What must hold after any number of operations. */
  check(): void {
    const { usedBytes, entries, payloadBytes, leases } = this.cache.stats();
    if (leases === 0) expect(usedBytes).toBeLessThanOrEqual(this.#limit);
    expect(usedBytes).toBeLessThanOrEqual(this.maxBytes);
    const charged = accountBytes('cache') - this.#before;
    // Another thread may be giving back what expired, slab by slab, until the second reading has waited for it.
    expect(charged).toBeLessThanOrEqual(usedBytes);
    expect(charged).toBeGreaterThanOrEqual(this.cache.stats().usedBytes);
    const keys = this.cache.keys() as string[];
    // Those that expired a moment ago may still be counted.
    expect(keys.length).toBeLessThanOrEqual(entries);
    expect(new Set(keys).size).toBe(keys.length);
    let payload = 0;
    for (const key of keys) {
      const found = this.cache.peek(key);
      expect(found).toBeDefined();
      this.#verify(key, found);
      payload += found?.length ?? 0;
    }
    expect(payload).toBeLessThanOrEqual(payloadBytes);
    if (keys.length === entries) expect(payload).toBe(payloadBytes);
  }

  /** Leaves nothing in the account that later ones share, whatever failed. */
  drop(): void {
    for (const { lease } of this.#leases) lease.release();
    this.cache.clear();
  }

  end(): void {
    while (this.#leases.length > 0) this.#release(0);
    // Past every time to live.
    this.apply({ kind: 'tick', key: 0, size: 0, amount: 5000 });
    this.check();
    expect(this.cache.keys().length).toBe(this.cache.stats().entries);
    this.cache.clear();
    expect(this.cache.stats()).toMatchObject({ usedBytes: 0, entries: 0, payloadBytes: 0, leases: 0 });
    expect(accountBytes('cache') - this.#before).toBe(0);
  }

  #live(key: string): Known | undefined {
    const known = this.#model.get(key);
    return known && known.expires > this.#now ? known : undefined;
  }

  #set(key: string, size: number, amount: number): void {
    const version = this.#version++;
    const ttl = amount % 3 === 0 ? amount + 1 : undefined;
    const fitted = this.cache.set(key, patternOf(key, version, size), ttl ? { ttl } : undefined);
    if (!fitted) this.#model.delete(key);
    else
      this.#model.set(key, {
        version,
        length: size,
        expires: ttl ? this.#now + ttl : Number.POSITIVE_INFINITY,
      });
    expect(this.cache.has(key)).toBe(fitted);
  }

  #verify(key: string, bytes: Uint8Array | undefined): void {
    if (!bytes) return;
    const known = this.#live(key);
    expect(known).toBeDefined();
    if (known) expect(same(bytes, patternOf(key, known.version, known.length))).toBe(true);
  }

  #lease(key: string): void {
    const lease = this.cache.lease(key);
    if (!lease) return;
    this.#verify(key, lease.bytes);
    this.#leases.push({ lease, bytes: lease.bytes.slice() });
    if (this.#leases.length > 12) this.#release(0);
  }

  #release(amount: number): void {
    const [held] = this.#leases.splice(amount % Math.max(1, this.#leases.length), 1);
    if (!held) return;
    expect(same(held.lease.bytes, held.bytes)).toBe(true);
    held.lease.release();
    expect(held.lease.bytes.length).toBe(0);
  }
}

const often = (kind: Step['kind'], weight: number) => ({ weight, arbitrary: fc.constant(kind) });
const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.oneof(
    often('set', 40),
    often('get', 20),
    often('peek', 4),
    often('into', 4),
    often('delete', 6),
    often('lease', 8),
    often('release', 8),
    often('tick', 6),
    often('shrink', 1),
    often('resize', 1),
    often('clear', 1),
  ),
  key: fc.nat(150),
  size: fc.oneof(
    { weight: 4, arbitrary: fc.nat(300) },
    { weight: 4, arbitrary: fc.nat(5000) },
    { weight: 2, arbitrary: fc.nat(60_000) },
    { weight: 1, arbitrary: fc.nat(600_000) },
  ),
  amount: fc.nat(2000),
});

function play(maxBytes: number, steps: readonly Step[]): void {
  const subject = new Subject(maxBytes);
  try {
    for (const [i, each] of steps.entries()) {
      subject.apply(each);
      if (i % 40 === 0) subject.check();
    }
    subject.end();
  } finally {
    subject.drop();
  }
}

function workTogether(threads: number, seconds: number, maxBytes: number): Promise<number[]> {
  const name = freshName();
  return Promise.all(
    Array.from(
      { length: threads },
      (_, seed) =>
        new Promise<number>((resolve, reject) => {
          const worker = new Worker(WORKER, { workerData: { name, maxBytes, seconds, seed } });
          worker.once('message', resolve);
          worker.once('error', reject);
        }),
    ),
  );
}

describe('a byte cache', () => {
  it.each([20_000, 400_000, 3_000_000])('of %i bytes agrees with a Map', (maxBytes) => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 50, maxLength: 400 }), (steps) => play(maxBytes, steps)),
      { numRuns: 15 },
    );
  });

  // Only the addon's cache is one for all threads: the JavaScript path refuses a named cache in a worker.
  it.runIf(overNative)('shows the same content to four workers that all change it', async () => {
    const operations = await workTogether(4, 2, 4_000_000);
    for (const count of operations) expect(count).toBeGreaterThan(100);
  });

  // Minutes long, so only when asked for: SPILLWAY_CACHE_MINUTES.
  it.runIf(MINUTES > 0)(
    'agrees with a Map for long',
    () => {
      const until = performance.now() + MINUTES * 30_000;
      while (performance.now() < until)
        for (const maxBytes of [20_000, 400_000, 3_000_000, 70_000_000])
          fc.assert(
            fc.property(fc.array(step, { minLength: 400, maxLength: 1500, size: 'max' }), (steps) =>
              play(maxBytes, steps),
            ),
            // Shrinking would take far longer than the run itself; the seed and path it prints reproduce it.
            { numRuns: 2, endOnFailure: true },
          );
    },
    MINUTES * 60_000 + 60_000,
  );

  it.runIf(MINUTES > 0 && overNative)(
    'serves four workers for long',
    async () => {
      for (const maxBytes of [900_000, 20_000_000, 200_000_000])
        await workTogether(4, MINUTES * 10, maxBytes);
    },
    MINUTES * 60_000 + 60_000,
  );
});
