import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ByteCache } from '../../src/cache/byte-cache.js';
import type { CacheKey } from '../../src/contract/index.js';
import { native } from '../../src/native/load.js';
import { overNative } from '../support/paths.js';
import { accountBytes, freshName, patternOf, same, withManualClock } from './byte-support.js';

const bytes = (...values: number[]) => new Uint8Array(values);
const rejected = (code: string) => expect.objectContaining({ code });

describe('byte cache', () => {
  it('hands out what was set, as copies of its own', () => {
    const cache = new ByteCache({ maxBytes: '1MB' });
    const given = bytes(1, 2, 3);
    expect(cache.set('a', given)).toBe(true);
    given[0] = 9;
    const got = cache.get('a');
    expect(got).toEqual(bytes(1, 2, 3));
    got?.fill(7);
    expect(cache.get('a')).toEqual(bytes(1, 2, 3));
    expect(cache.get('b')).toBeUndefined();
    expect(cache.stats()).toMatchObject({ entries: 1, payloadBytes: 3, hits: 2, misses: 1, sets: 1 });
  });

  it('keeps copies apart whatever their lengths', () => {
    const cache = new ByteCache({ maxBytes: '10MB' });
    const lengths = [0, 1, 7, 8, 4095, 4096, 4097, 65_536, 100_000, 1_000_000];
    for (const length of lengths) cache.set(`k${length}`, patternOf('k', length, length));
    const all = cache.getMany(lengths.flatMap((length) => [`k${length}`, `k${length}`, 'none']));
    for (const [i, length] of lengths.entries()) {
      expect(same(all[i * 3], patternOf('k', length, length))).toBe(true);
      all[i * 3]?.fill(0);
      expect(same(all[i * 3 + 1], patternOf('k', length, length))).toBe(true);
      expect(all[i * 3 + 2]).toBeUndefined();
    }
  });

  it('copies into a target and says how much; one too short is refused', () => {
    const cache = new ByteCache({ maxBytes: '1MB' });
    cache.set('a', bytes(1, 2, 3));
    const target = new Uint8Array(5);
    expect(cache.getInto('a', target)).toBe(3);
    expect(target).toEqual(bytes(1, 2, 3, 0, 0));
    expect(cache.getInto('b', target)).toBeUndefined();
    expect(() => cache.getInto('a', new Uint8Array(2))).toThrow(/at least 3 bytes for target but received 2/);
  });

  it('tells any two keys apart, lone surrogates and bytes included', () => {
    const cache = new ByteCache({ maxBytes: '4MB' });
    const keys: CacheKey[] = [
      '',
      'a',
      'ä',
      'a\u0308',
      'ａ',
      '日本',
      '😀',
      '\u{10FFFF}',
      '\ufffd',
      '\ud800',
      '\ud801',
      '\udc00\ud800',
      'a\0b',
      'a\0c',
      'x'.repeat(600),
      `${'x'.repeat(600)}y`,
      'é'.repeat(508),
      'é'.repeat(509),
      '\ud800'.repeat(9000),
      '語'.repeat(20_000),
      bytes(97),
      bytes(),
      bytes(0xef, 0xbf, 0xbd),
      new Uint8Array(65_535),
    ];
    keys.forEach((key, i) => {
      expect(cache.set(key, bytes(i))).toBe(true);
    });
    keys.forEach((key, i) => {
      expect(cache.get(key)).toEqual(bytes(i));
    });
    const order = (key: CacheKey) => (typeof key === 'string' ? JSON.stringify(key) : `b${key.join()}`);
    expect(cache.keys().map(order).sort()).toEqual(keys.map(order).sort());
    for (const key of keys) expect(cache.delete(key)).toBe(true);
    expect(cache.stats()).toMatchObject({ entries: 0, payloadBytes: 0 });
  });

  it('refuses what is no key, no value, no option', () => {
    const cache = new ByteCache({ maxBytes: '1MB' });
    for (const key of [
      1,
      null,
      undefined,
      {},
      new Uint16Array(1),
      'x'.repeat(65_536),
      new Uint8Array(65_536),
    ])
      expect(() => cache.get(key as string)).toThrow(rejected('ERR_INVALID_ARGUMENT'));
    for (const options of [
      {},
      { maxBytes: 0 },
      { maxBytes: '1MB', policy: 'fifo' },
      { maxBytes: '1MB', name: '' },
    ])
      expect(() => new ByteCache(options as never)).toThrow(rejected('ERR_INVALID_ARGUMENT'));
    for (const options of [{ ttl: 0 }, { ttl: 'soon' }, { cost: -1 }])
      expect(() => cache.set('a', bytes(1), options as never)).toThrow(rejected('ERR_INVALID_ARGUMENT'));
    if (overNative) expect(() => cache.set('a', 'text' as never)).toThrow(rejected('ERR_INVALID_ARGUMENT'));
  });

  it('evicts what was used longest ago', () => {
    const cache = new ByteCache({ maxBytes: 64_000 });
    const fill = (key: string) => cache.set(key, patternOf(key, 0, 10_000));
    for (const key of ['a', 'b', 'c', 'd', 'e']) fill(key);
    cache.get('a');
    cache.peek('b');
    cache.has('b');
    for (const key of ['f', 'g', 'h']) fill(key);
    expect(cache.has('a')).toBe(true);
    expect(cache.has('b')).toBe(false);
    expect(cache.has('h')).toBe(true);
    expect(cache.stats().evictions).toBeGreaterThan(0);
  });

  it('keeps to least recently used order among values of one size', () => {
    const cache = new ByteCache({ maxBytes: '256KB' });
    const order: string[] = [];
    for (let i = 0; i < 3000; i++) {
      const key = `k${(i * 7919) % 500}`;
      const at = order.indexOf(key);
      if (cache.get(key)) expect(at).toBeGreaterThanOrEqual(0);
      else cache.set(key, patternOf(key, 0, 2000));
      if (at >= 0) order.splice(at, 1);
      order.push(key);
      const { entries } = cache.stats();
      expect(new Set(cache.keys())).toEqual(new Set(order.slice(-entries)));
    }
  });

  it('stays within its bytes whatever is set, and says so truly', () => {
    const name = freshName();
    const maxBytes = 3_000_000;
    const cache = new ByteCache({ name, maxBytes });
    for (let i = 0; i < 5000; i++) {
      const length = [30, 300, 3000, 30_000, 300_000][Math.floor(i / 250) % 5] ?? 0;
      expect(cache.set(`k${i}`, new Uint8Array(length + (i % 97)))).toBe(true);
      if (i % 64) continue;
      const { usedBytes, payloadBytes } = cache.stats();
      expect(usedBytes).toBeLessThanOrEqual(maxBytes);
      expect(payloadBytes).toBeLessThan(usedBytes);
      expect(accountBytes(`cache:${name}`)).toBe(usedBytes);
    }
    // Sizes were set in phases: what each phase needed has been taken from the one before.
    expect(cache.stats().payloadBytes).toBeGreaterThan(maxBytes * (overNative ? 0.8 : 0.2));
    cache.clear();
    expect(accountBytes(`cache:${name}`)).toBe(0);
  });

  it('refuses a value larger than itself, and forgets the one it would have replaced', () => {
    const cache = new ByteCache({ maxBytes: '1MB' });
    cache.set('a', bytes(1));
    expect(cache.set('a', new Uint8Array(1_000_001))).toBe(false);
    expect(cache.has('a')).toBe(false);
    expect(cache.stats().refusals).toBe(1);
    expect(cache.set('a', new Uint8Array(900_000))).toBe(true);
  });

  it('evicts its own for the budget, and refuses where that is not enough', () => {
    const { ledger } = native();
    const name = freshName();
    const cache = new ByteCache({ name, maxBytes: '8MB' });
    const account = ledger.account(`cache:${name}`, 0);
    ledger.setLimit(account, 2_000_000);
    for (let i = 0; i < 100; i++) expect(cache.set(`k${i}`, new Uint8Array(100_000))).toBe(true);
    expect(cache.stats().entries).toBeGreaterThan(12);
    expect(cache.stats().usedBytes).toBeLessThanOrEqual(2_000_000);
    expect(cache.set('big', new Uint8Array(3_000_000))).toBe(false);
  });

  it('shrinks and grows again', () => {
    const name = freshName();
    const cache = new ByteCache({ name, maxBytes: '20MB' });
    const fill = () => {
      for (let i = 0; i < 3000; i++) cache.set(`k${i}`, new Uint8Array(10_000 + i));
    };
    fill();
    const before = cache.stats().usedBytes;
    const freed = cache.shrink('5MB');
    expect(freed).toBeGreaterThanOrEqual(5e6);
    expect(freed).toBeLessThan(7e6);
    expect(cache.stats().usedBytes).toBe(before - freed);
    expect(cache.has('k2999')).toBe(true);
    cache.resize('4MB');
    expect(cache.stats().usedBytes).toBeLessThanOrEqual(4e6);
    expect(cache.has('k2999')).toBe(true);
    fill();
    expect(accountBytes(`cache:${name}`)).toBeLessThanOrEqual(4e6);
    cache.resize('20MB');
    fill();
    expect(cache.stats().usedBytes).toBeGreaterThan(15e6);
    expect(cache.shrink('1GB')).toBeGreaterThan(15e6);
    expect(cache.stats()).toMatchObject({ usedBytes: 0, entries: 0, maxBytes: 20e6 });
    expect(accountBytes(`cache:${name}`)).toBe(0);
  });

  // A sanitizer keeps pages of its own beside each of ours.
  const measurable = overNative && !process.env.SPILLWAY_SANITIZER_LIBRARY;
  it.runIf(measurable)('holds the pages it says, and gives them back', () => {
    const pages = () => Number(readFileSync('/proc/self/statm', 'utf8').split(' ')[1]) * 4096;
    const value = new Uint8Array(9000).fill(1);
    const cache = new ByteCache({ maxBytes: '200MB' });
    const before = pages();
    for (let i = 0; i < 20_000; i++) cache.set(`k${i}`, value);
    const held = pages() - before;
    const { usedBytes } = cache.stats();
    expect(held).toBeGreaterThan(usedBytes * 0.95);
    expect(held).toBeLessThan(usedBytes + 15e6);
    const freed = cache.shrink('100MB');
    expect(pages() - before).toBeLessThan(held - freed + 15e6);
    cache.clear();
    expect(pages() - before).toBeLessThan(15e6);
  });
});

describe('time to live', () => {
  it('ends with the value, by the cache or by the set', () => {
    const cache = withManualClock({ maxBytes: '1MB', ttl: '10s' });
    cache.set('default', bytes(1));
    cache.set('short', bytes(2), { ttl: '1s' });
    cache.set('long', bytes(3), { ttl: '1h' });
    cache.advance(999);
    expect(cache.get('short')).toEqual(bytes(2));
    cache.advance(1);
    expect(cache.get('short')).toBeUndefined();
    expect(cache.has('default')).toBe(true);
    cache.advance(9000);
    expect(cache.has('default')).toBe(false);
    expect(cache.peek('long')).toEqual(bytes(3));
    expect(cache.stats().expirations).toBe(2);
    cache.set('long', bytes(4), { ttl: '1s' });
    cache.advance(1000);
    expect(cache.lease('long')).toBeUndefined();
  });

  it('frees the bytes of values nobody asks for', () => {
    const cache = withManualClock({ maxBytes: '10MB' });
    const lives = [1, 100, 127, 128, 129, 5000, 8192, 60_000, 524_288, 3_600_000, 86_400_000, 3e9];
    for (let i = 0; i < 1200; i++)
      cache.set(`k${i}`, new Uint8Array(1000), { ttl: lives[i % lives.length] ?? 0 });
    cache.set('forever', new Uint8Array(10));
    let passed = 0;
    for (const [i, life] of lives.entries()) {
      // The wheel turns in steps of 128 ms.
      cache.advance(life + 300 - passed);
      passed = life + 300;
      expect(cache.stats().entries).toBeLessThanOrEqual(1 + (lives.length - 1 - i) * 100);
      for (let j = i + 1; j < lives.length; j++)
        if ((lives[j] ?? 0) > passed) expect(cache.has(`k${j}`)).toBe(true);
    }
    expect(cache.keys()).toEqual(['forever']);
  });
});

describe('lease', () => {
  it('lends the bytes until released, then shows none', () => {
    const cache = new ByteCache({ maxBytes: '1MB' });
    cache.set('a', patternOf('a', 1, 5000));
    const lease = cache.lease('a');
    expect(same(lease?.bytes, patternOf('a', 1, 5000))).toBe(true);
    const stale = lease?.bytes.subarray(10, 20);
    expect(cache.stats().leases).toBe(1);
    lease?.release();
    lease?.release();
    expect(lease?.bytes.length).toBe(0);
    expect(stale?.length).toBe(0);
    expect(cache.stats().leases).toBe(0);
    expect(same(cache.get('a'), patternOf('a', 1, 5000))).toBe(true);
    expect(cache.lease('b')).toBeUndefined();
  });

  it('outlives delete, set, eviction and clear of its key', () => {
    const cache = new ByteCache({ maxBytes: '1MB' });
    const endings: ((key: string) => void)[] = [
      (key) => cache.delete(key),
      (key) => cache.set(key, patternOf(key, 2, 5000)),
      () => {
        for (let i = 0; i < 1000; i++) cache.set(`other${i}`, new Uint8Array(5000));
      },
      () => cache.shrink('10MB'),
      () => cache.clear(),
    ];
    for (const [i, end] of endings.entries()) {
      const key = `k${i}`;
      cache.set(key, patternOf(key, 1, 5000));
      using first = cache.lease(key);
      using second = cache.lease(key);
      end(key);
      for (let j = 0; j < 300; j++) cache.set(`fill${j}`, new Uint8Array(5000).fill(255));
      expect(same(first?.bytes, patternOf(key, 1, 5000))).toBe(true);
      first?.release();
      expect(same(second?.bytes, patternOf(key, 1, 5000))).toBe(true);
    }
    cache.clear();
    expect(cache.stats()).toMatchObject({ usedBytes: 0, leases: 0 });
  });

  it('holds its bytes against the limit; what cannot be evicted refuses others', () => {
    const cache = new ByteCache({ maxBytes: '1MB' });
    const leases = Array.from({ length: 9 }, (_, i) => {
      cache.set(`k${i}`, new Uint8Array(100_000));
      return cache.lease(`k${i}`);
    });
    expect(cache.set('more', new Uint8Array(200_000))).toBe(false);
    cache.resize('500KB');
    expect(cache.stats().usedBytes).toBeGreaterThan(900_000);
    for (const lease of leases) lease?.release();
    expect(cache.stats().usedBytes).toBeLessThanOrEqual(500_000);
    expect(cache.set('more', new Uint8Array(200_000))).toBe(true);
  });

  it('lends an empty value too', () => {
    const cache = new ByteCache({ maxBytes: '1MB' });
    cache.set('empty', new Uint8Array(0));
    using lease = cache.lease('empty');
    expect(lease?.bytes.length).toBe(0);
    expect(cache.get('empty')).toEqual(new Uint8Array(0));
  });

  it('ends when it is forgotten and collected', async () => {
    const { setFlagsFromString } = await import('node:v8');
    const { runInNewContext } = await import('node:vm');
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const cache = new ByteCache({ maxBytes: '1MB' });
    cache.set('a', new Uint8Array(5000));
    (() => cache.lease('a'))();
    for (let i = 0; i < 50 && cache.stats().leases > 0; i++) {
      collect();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(cache.stats().leases).toBe(0);
  });
});

describe('names', () => {
  it('lead to one cache, with one set of options', () => {
    const name = freshName();
    const first = new ByteCache({ name, maxBytes: '1MB', ttl: '1m' });
    first.set('a', bytes(1));
    expect(new ByteCache({ name, maxBytes: 1e6, ttl: 60_000 }).get('a')).toEqual(bytes(1));
    for (const options of [{ maxBytes: '2MB', ttl: '1m' }, { maxBytes: '1MB' }])
      expect(() => new ByteCache({ name, ...options })).toThrow(rejected('ERR_INVALID_ARGUMENT'));
    expect(new ByteCache({ maxBytes: '1MB' }).has('a')).toBe(false);
  });
});

describe('wrap', () => {
  it('loads a key once at a time, and gives everyone bytes of their own', async () => {
    const cache = new ByteCache({ name: freshName(), maxBytes: '1MB' });
    let loads = 0;
    const load = async () => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      return bytes(++loads);
    };
    const all = await Promise.all([cache.wrap('a', load), cache.wrap('a', load), cache.wrap('b', load)]);
    expect(all).toEqual([bytes(1), bytes(1), bytes(2)]);
    all[0]?.fill(9);
    expect(all[1]).toEqual(bytes(1));
    expect(await cache.wrap('a', load)).toEqual(bytes(1));
    expect(loads).toBe(2);
  });

  it('lets all of them fail together, and loads again next time', async () => {
    const cache = new ByteCache({ maxBytes: '1MB' });
    const failure = new Error('out of reach');
    const failing = async (): Promise<Uint8Array> => Promise.reject(failure);
    const both = await Promise.allSettled([cache.wrap('a', failing), cache.wrap('a', failing)]);
    expect(both.map((each) => each.status === 'rejected' && each.reason)).toEqual([failure, failure]);
    await expect(
      cache.wrap('a', () => {
        throw failure;
      }),
    ).rejects.toBe(failure);
    await expect(cache.wrap('a', () => 'text' as never)).rejects.toThrow(rejected('ERR_INVALID_ARGUMENT'));
    expect(await cache.wrap('a', () => bytes(1))).toEqual(bytes(1));
  });

  it('hands over what does not fit without keeping it, and keeps to the ttl', async () => {
    const cache = withManualClock({ maxBytes: '1MB' });
    expect((await cache.wrap('big', () => new Uint8Array(2e6))).length).toBe(2e6);
    expect(cache.has('big')).toBe(false);
    await cache.wrap('a', () => bytes(1), { ttl: '1s' });
    cache.advance(1000);
    expect(await cache.wrap('a', () => bytes(2))).toEqual(bytes(2));
  });
});
