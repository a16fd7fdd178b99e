import { EventEmitter } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { AdaptiveCache, getAdaptiveCache } from '../../src/cache/adaptive-cache.js';
import {
  type AdaptiveCacheOptions,
  CLOCK,
  type PressureChange,
  type PressureSource,
} from '../../src/cache/adaptive-cache-options.js';
import type { PressureLevel } from '../../src/memory/levels.js';
import { native } from '../../src/native/load.js';

const KB = 1000;
const MiB = 2 ** 20;
const wrong = expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' });
const open: Disposable[] = [];

function opened<V = unknown>(options?: AdaptiveCacheOptions): AdaptiveCache<V> {
  const cache = new AdaptiveCache<V>(options);
  open.push(cache);
  return cache;
}

/** What the ledger holds for all adaptive caches of this process. */
function charged(): number {
  const { ledger } = native();
  return ledger.held(ledger.account('adaptive-cache', 0));
}

class Pressure extends EventEmitter implements PressureSource {
  level: PressureLevel = 'NORMAL';

  become(level: PressureLevel): void {
    const change: PressureChange = { level, previous: this.level };
    this.level = level;
    this.emit('level', change);
  }
}

/** Fills a cache of 8 MiB with some 80 strings of 100 kB, `0` first. */
function fill(cache: AdaptiveCache): void {
  cache.resize(8 * MiB);
  for (let i = 0; i < 80; i++) cache.put(i, 'x'.repeat(100 * KB));
}

afterEach(() => {
  for (const cache of open.splice(0)) cache[Symbol.dispose]();
  expect(charged()).toBe(0);
});

describe('an adaptive cache', () => {
  it('hands out the very values that were put in', () => {
    const cache = opened();
    const values = ['text', Buffer.from('bytes'), { an: 'object' }, [1, 2], 7, null, () => 1];
    for (const [i, value] of values.entries()) expect(cache.put(`key ${i}`, value)).toBe(true);
    expect(values.map((_, i) => cache.get(`key ${i}`))).toEqual(values);
    expect(cache.get('key 2')).toBe(values[2]);
    expect(cache.get('no such key')).toBeUndefined();
    expect(cache.stats()).toMatchObject({
      entries: 7,
      puts: 7,
      hits: 8,
      misses: 1,
      hitRate: 8 / 9,
      unknown: 1,
    });
  });

  it('tells numbers from their names, and replaces what it has', () => {
    const cache = opened();
    cache.put(1, 'number');
    cache.put('1', 'string');
    expect([cache.get(1), cache.get('1')]).toEqual(['number', 'string']);
    const { usedBytes } = cache.stats();
    cache.put(1, 'NUMBER');
    expect(cache.get(1)).toBe('NUMBER');
    expect(cache.stats()).toMatchObject({ entries: 2, usedBytes });
    expect(cache.delete(1)).toBe(true);
    expect(cache.delete(1)).toBe(false);
    expect(cache.has(1)).toBe(false);
    expect(cache.has('1')).toBe(true);
  });

  it('charges the ledger with what it holds, and pays all of it back', () => {
    const before = charged();
    const cache = opened();
    cache.put('a', Buffer.alloc(5 * MiB));
    expect(cache.stats().usedBytes).toBeGreaterThan(5 * MiB);
    expect(charged() - before).toBe(cache.stats().usedBytes);
    cache.put('b', 'x'.repeat(MiB), { bytes: '3MiB' });
    expect(charged() - before).toBe(cache.stats().usedBytes);
    expect(cache.stats().usedBytes).toBeGreaterThan(8 * MiB);
    cache.clear();
    expect(cache.stats()).toMatchObject({ entries: 0 });
    expect(charged() - before).toBe(cache.stats().usedBytes);
    cache[Symbol.dispose]();
    cache[Symbol.dispose]();
    expect(charged()).toBe(before);
    expect(cache.get('a')).toBeUndefined();
    expect(() => cache.put('a', 1)).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }));
  });

  it('evicts what was used longest ago, within its size', () => {
    const cache = opened();
    cache.resize(MiB);
    for (let i = 0; i < 9; i++) {
      cache.put(i, 'x'.repeat(100 * KB));
      cache.get(0);
    }
    expect(cache.has(0)).toBe(true);
    for (let i = 9; i < 12; i++) cache.put(i, 'x'.repeat(100 * KB));
    expect(cache.get(0)).toBeDefined();
    expect(cache.has(1)).toBe(false);
    expect(cache.stats().usedBytes).toBeLessThanOrEqual(MiB);
    expect(cache.stats().evictions).toBe(12 - cache.stats().entries);
  });

  it('refuses what is larger than itself, and has no value for it then', () => {
    const cache = opened();
    cache.resize(MiB);
    cache.put('a', 'small');
    expect(cache.put('a', Buffer.alloc(2 * MiB))).toBe(false);
    expect(cache.get('a')).toBeUndefined();
    expect(cache.stats()).toMatchObject({ entries: 0, refusals: 1 });
  });

  it('yields to the memory budget', () => {
    const { ledger } = native();
    const cache = opened();
    cache.resize(8 * MiB);
    ledger.setLimit(0, ledger.held(0) + MiB);
    try {
      for (let i = 0; i < 20; i++) expect(cache.put(i, 'x'.repeat(100 * KB))).toBe(true);
      expect(cache.stats().usedBytes).toBeLessThan(1.1 * MiB);
      expect(cache.has(19)).toBe(true);
      expect(cache.put('large', 'x'.repeat(2 * MiB))).toBe(false);
    } finally {
      ledger.setLimit(0, Number.POSITIVE_INFINITY);
    }
  });

  it('forgets what has expired', () => {
    let now = 1000;
    const cache = opened({ ttl: '1s', [CLOCK]: () => now } as AdaptiveCacheOptions);
    cache.put('a', 1);
    cache.put('b', 2, { ttl: '1m' });
    now += 1001;
    expect([cache.get('a'), cache.get('b')]).toEqual([undefined, 2]);
    expect(cache.stats()).toMatchObject({ entries: 1, expirations: 1 });
  });

  it('grows when keys are asked for that it had to evict, and then has them', () => {
    let now = 0;
    const cache = opened({ maxBytes: '64MiB', [CLOCK]: () => now } as AdaptiveCacheOptions);
    cache.resize(2 * MiB);
    const round = () => {
      for (let i = 0; i < 300; i++) {
        now += 10;
        if (cache.get(i) === undefined) cache.put(i, 'x'.repeat(100 * KB));
      }
    };
    for (let i = 0; i < 20; i++) round();
    const { limitBytes, hits, grows } = cache.stats();
    expect(limitBytes).toBeGreaterThan(30 * MiB);
    expect(limitBytes).toBeLessThanOrEqual(64 * MiB);
    expect(grows).toBeGreaterThan(3);
    round();
    expect(cache.stats().hits - hits).toBe(300);
    expect(cache.stats().limitBytes).toBe(limitBytes);
  });

  it('gives up the colder half when memory becomes short, nine tenths when it is critical', () => {
    const pressure = new Pressure();
    const cache = opened({ pressure });
    fill(cache);
    const before = cache.stats();
    expect(before.entries).toBeGreaterThan(70);
    pressure.become('ELEVATED');
    expect(cache.stats().usedBytes).toBe(before.usedBytes);
    pressure.become('HIGH');
    const half = cache.stats();
    expect(half.usedBytes / before.usedBytes).toBeCloseTo(0.5, 1);
    expect(half.limitBytes).toBeLessThanOrEqual(before.usedBytes / 2);
    expect([cache.has(0), cache.has(79)]).toEqual([false, true]);
    pressure.become('CRITICAL');
    expect(cache.stats().usedBytes / half.usedBytes).toBeLessThan(0.11);
    expect(cache.has(79)).toBe(true);
    expect(cache.stats().shrinks).toBe(2);
  });

  it('gives up nothing while memory recovers', () => {
    const pressure = new Pressure();
    const cache = opened({ pressure });
    pressure.become('CRITICAL');
    fill(cache);
    const { usedBytes } = cache.stats();
    for (const level of ['HIGH', 'ELEVATED', 'NORMAL'] as const) pressure.become(level);
    expect(cache.stats().usedBytes).toBe(usedBytes);
  });

  it('does not grow while memory is short', () => {
    const pressure = new Pressure();
    pressure.level = 'ELEVATED';
    const cache = opened({ pressure });
    cache.resize(MiB);
    for (let i = 0; i < 3000; i++) if (!cache.get(i % 30)) cache.put(i % 30, 'x'.repeat(100 * KB));
    expect(cache.stats()).toMatchObject({ limitBytes: MiB, grows: 0 });
  });

  it('listens no longer once disposed of', () => {
    const pressure = new Pressure();
    opened({ pressure })[Symbol.dispose]();
    expect(pressure.listenerCount('level')).toBe(0);
  });

  it('gives back what it is asked for, coldest first', () => {
    const cache = opened();
    fill(cache);
    const { usedBytes } = cache.stats();
    const freed = cache.shrink('1MiB');
    expect(freed).toBeGreaterThanOrEqual(MiB);
    expect(cache.stats().usedBytes).toBe(usedBytes - freed);
    expect([cache.has(0), cache.has(79)]).toEqual([false, true]);
  });

  it('refuses options that make no sense', () => {
    for (const options of [{ maxBytes: 1000 }, { ttl: 0 }, { pressure: {} }, { size: 1 }])
      expect(() => new AdaptiveCache(options as AdaptiveCacheOptions)).toThrow(wrong);
    expect(() => opened().put('a', undefined)).toThrow(wrong);
  });
});

it('is the same for everybody who asks', () => {
  const cache = getAdaptiveCache({ ttl: '1h' });
  cache.put('a', 1);
  expect(getAdaptiveCache()).toBe(cache);
  expect(getAdaptiveCache().get('a')).toBe(1);
  expect(() => getAdaptiveCache({ ttl: '2h' })).toThrow(wrong);
  // It lasts as long as the thread does.
  open.push(cache);
});
