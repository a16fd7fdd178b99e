import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { DiskCache, type DiskCacheOptions } from '../../src/cache/disk-cache.js';
import { bytesIn, openFilesIn, randomFrom, temporaryFolder } from './temporary.js';

const INVALID = { code: 'ERR_INVALID_ARGUMENT' };
const bytesOf = (seed: number, length: number) => new Uint8Array(length).fill(seed % 251);
/** Values of one call share memory and differ in class: compared as plain bytes. */
const plain = (value: Uint8Array | undefined) => value && Uint8Array.from(value);
/** Fast for large values. */
const expectSame = (
  found: readonly (Uint8Array | undefined)[],
  expected: readonly (Uint8Array | undefined)[],
) =>
  expect(found.map((value, i) => Buffer.compare(value ?? Buffer.of(), expected[i] ?? Buffer.of()))).toEqual(
    expected.map(() => 0),
  );
const objectsIn = (dir: string) =>
  readdirSync(join(dir, 'objects'), { recursive: true, encoding: 'utf8' }).filter((name) => name.length > 60);

afterEach(() => vi.useRealTimers());

/** Lets the tests set the time that the cache goes by. */
function clockAt(time: string): { advance(ms: number): void } {
  vi.useFakeTimers({ toFake: ['Date'], now: new Date(time) });
  return { advance: (ms) => vi.setSystemTime(Date.now() + ms) };
}

describe('a disk cache', () => {
  it('loads one of the two drivers and says which', async () => {
    using folder = temporaryFolder();
    await using cache = await DiskCache.open(folder.path);
    expect(cache.driver.name).toBe(
      process.getBuiltinModule('node:sqlite') ? 'node:sqlite' : 'better-sqlite3',
    );
    expect(cache.driver.version).toMatch(/^\d+\.\d+\.\d+/);
  });

  it('gives back what was set, of every size, before and after it is reopened', async () => {
    using folder = temporaryFolder();
    const sizes = [0, 1, 100, 4096, 16_384, 16_385, 100_000, 3_000_000];
    const expected = sizes.map((size, i) => bytesOf(i + 1, size));
    const keys = sizes.map((size) => `of ${size} bytes`);
    {
      await using cache = await DiskCache.open(folder.path);
      await cache.setMany(expected.map((value, i) => [keys[i] as string, value] as const));
      expectSame(await cache.getMany(keys), expected);
    }
    await using cache = await DiskCache.open(folder.path);
    expectSame(await cache.getMany([...keys, 'no such key']), [...expected, undefined]);
    expect(plain(await cache.get('of 4096 bytes'))).toEqual(expected[3]);
    expect(await cache.verify()).toEqual({ checked: sizes.length, corrupt: 0, orphans: 0 });
  });

  it('takes strings and bytes as keys, a string for its UTF-8', async () => {
    using folder = temporaryFolder();
    await using cache = await DiskCache.open(folder.path);
    await cache.set('Ünï', bytesOf(1, 10));
    await cache.set(Uint8Array.of(0, 255, 0), bytesOf(2, 10));
    expect(plain(await cache.get(Buffer.from('Ünï')))).toEqual(bytesOf(1, 10));
    expect(plain(await cache.get(Uint8Array.of(0, 255, 0)))).toEqual(bytesOf(2, 10));
    expect(await cache.get(Uint8Array.of(0, 255))).toBeUndefined();
    await expect(cache.get('')).rejects.toMatchObject(INVALID);
    await expect(cache.get('\ud800')).rejects.toMatchObject(INVALID);
    await expect(cache.get('x'.repeat(4097))).rejects.toMatchObject(INVALID);
  });

  it('overwrites, removes, and sees its own changes at once', async () => {
    using folder = temporaryFolder();
    await using cache = await DiskCache.open(folder.path);
    const changes = [cache.set('a', bytesOf(1, 5)), cache.set('a', bytesOf(2, 50_000))];
    expect(plain(await cache.get('a'))).toEqual(bytesOf(2, 50_000));
    expect(await cache.has('a')).toBe(true);
    changes.push(cache.delete('a'), cache.delete('never there'));
    expect(await cache.has('a')).toBe(false);
    expect(await cache.get('a')).toBeUndefined();
    await Promise.all(changes);
    expect(objectsIn(folder.path)).toEqual([]);
    expect(await cache.stats()).toMatchObject({
      entries: 0,
      hits: 1,
      misses: 1,
      committed: 4,
      queuedBytes: 0,
    });
  });

  it('keeps equal large values once, until nothing refers to them', async () => {
    using folder = temporaryFolder();
    await using cache = await DiskCache.open(folder.path);
    const value = bytesOf(7, 60_000);
    await Promise.all([cache.set('a', value), cache.set('b', value), cache.set('c', bytesOf(8, 60_000))]);
    expect(objectsIn(folder.path)).toHaveLength(2);
    await cache.set('a', bytesOf(1, 1));
    expect(objectsIn(folder.path)).toHaveLength(2);
    expect(plain(await cache.get('b'))).toEqual(value);
    await cache.delete('b');
    expect(objectsIn(folder.path)).toHaveLength(1);
  });

  it('forgets everything when cleared, and gives the space back', async () => {
    using folder = temporaryFolder();
    await using cache = await DiskCache.open(folder.path);
    await cache.setMany(Array.from({ length: 1500 }, (_, i) => [`${i}`, bytesOf(i, i % 100 ? 900 : 40_000)]));
    const before = bytesIn(folder.path);
    await cache.clear();
    expect(await cache.stats()).toMatchObject({ entries: 0 });
    expect(bytesIn(folder.path)).toBeLessThan(before / 10);
    expect(await cache.get('1')).toBeUndefined();
  });

  it('tells what it takes on the disk', async () => {
    using folder = temporaryFolder();
    await using cache = await DiskCache.open(folder.path);
    await cache.setMany(Array.from({ length: 300 }, (_, i) => [`${i}`, bytesOf(i, i * 200)]));
    const stats = await cache.stats();
    expect(stats.entries).toBe(300);
    expect(stats.bytes).toBe(bytesIn(folder.path));
  });

  it.each([
    [{ maxBytes: '500KB' }, 'options.maxBytes'],
    [{ ttl: 'soon' }, 'options.ttl'],
    [{ encryptionKey: 'secret' }, 'encryptionKey'],
  ])('refuses the options %j', async (options, name) => {
    using folder = temporaryFolder();
    const opening = DiskCache.open(folder.path, options as DiskCacheOptions);
    await expect(opening).rejects.toMatchObject(INVALID);
    await expect(opening).rejects.toThrow(name);
  });
});

describe('time to live', () => {
  it('ends an entry at its own time, else at the default', async () => {
    const clock = clockAt('2030-01-01');
    using folder = temporaryFolder();
    await using cache = await DiskCache.open(folder.path, { ttl: '1h' });
    await Promise.all([
      cache.set('short', bytesOf(1, 10), { ttl: '1m' }),
      cache.set('default', bytesOf(2, 30_000)),
      cache.set('long', bytesOf(3, 10), { ttl: '2d' }),
    ]);
    const there = async () => Promise.all(['short', 'default', 'long'].map((key) => cache.has(key)));
    expect(await there()).toEqual([true, true, true]);
    clock.advance(60_000);
    expect(await there()).toEqual([false, true, true]);
    expect(await cache.get('short')).toBeUndefined();
    clock.advance(3_600_000);
    expect((await cache.getMany(['short', 'default', 'long'])).map(plain)).toEqual([
      undefined,
      undefined,
      bytesOf(3, 10),
    ]);
    expect(await cache.prune()).toMatchObject({ expired: 2, evicted: 0, orphans: 0 });
    expect(await cache.stats()).toMatchObject({ entries: 1, corrupt: 0 });
    expect(objectsIn(folder.path)).toEqual([]);
  });
});

describe('the limit', () => {
  const fill = async (cache: DiskCache, from: number, count: number, length: number, options = {}) => {
    await cache.setMany(
      Array.from({ length: count }, (_, i) => [`${from + i}`, bytesOf(from + i, length), options] as const),
    );
  };
  const present = async (cache: DiskCache, from: number, count: number) => {
    const there = await Promise.all(Array.from({ length: count }, (_, i) => cache.has(`${from + i}`)));
    return there.filter(Boolean).length;
  };

  it.each([4_000_000, 20_000_000])(
    'of %i bytes holds at every step under random sets of mixed sizes, the log included',
    async (maxBytes) => {
      using folder = temporaryFolder();
      await using cache = await DiskCache.open(folder.path, { maxBytes });
      const seed = Date.now() % 2 ** 31;
      const random = randomFrom(seed);
      let fullest = 0;
      for (let step = 0; step < 30; step++) {
        // Phases of small, large and mixed values, so that the database has to give way to files and back.
        const phase = Math.floor(step / 5) % 3;
        const sets = Array.from({ length: 40 }, () => {
          const large = phase === 1 || (phase === 2 && random() < 0.3);
          const length = Math.floor(large ? 17_000 + random() * maxBytes * 0.1 : random() * 16_384);
          return [`${Math.floor(random() * 1000)}`, bytesOf(step, length)] as const;
        });
        for (const [key, value] of sets.slice(0, phase === 1 ? 10 : 40)) {
          await cache.set(key, value, { priority: Math.floor(random() * 3) });
          const bytes = bytesIn(folder.path);
          fullest = Math.max(fullest, bytes);
          if (bytes > maxBytes * 1.01) expect.fail(`${bytes} bytes at step ${step}, seed ${seed}`);
        }
      }
      expect(fullest, 'the room is used').toBeGreaterThan(maxBytes * 0.8);
      expect(await cache.verify()).toMatchObject({ corrupt: 0, orphans: 0 });
      expect((await cache.stats()).evictions).toBeGreaterThan(0);
    },
    60_000,
  );

  it('lets the lower priority go first, among equals the one unused for longest', async () => {
    const clock = clockAt('2030-01-01');
    using folder = temporaryFolder();
    await using cache = await DiskCache.open(folder.path, { maxBytes: 4_000_000 });
    await fill(cache, 0, 100, 8000, { priority: 1 });
    clock.advance(120_000);
    await fill(cache, 1000, 100, 8000);
    clock.advance(120_000);
    await fill(cache, 2000, 100, 8000);
    clock.advance(120_000);
    await cache.getMany(Array.from({ length: 100 }, (_, i) => `${1000 + i}`)); // used, now the youngest
    clock.advance(120_000);
    await fill(cache, 3000, 170, 8000);
    expect(await present(cache, 0, 100), 'of higher priority').toBe(100);
    expect(await present(cache, 1000, 100), 'old but used').toBe(100);
    expect(await present(cache, 2000, 100), 'unused').toBeLessThan(80);
    expect(await present(cache, 3000, 170), 'new').toBe(170);
  });

  it('lets expired entries go before any other', async () => {
    const clock = clockAt('2030-01-01');
    using folder = temporaryFolder();
    await using cache = await DiskCache.open(folder.path, { maxBytes: 4_000_000 });
    await fill(cache, 0, 150, 8000);
    await fill(cache, 1000, 150, 8000, { priority: 9, ttl: '1m' });
    clock.advance(61_000);
    await fill(cache, 2000, 150, 8000);
    expect(await present(cache, 0, 150)).toBe(150);
    expect(await cache.stats()).toMatchObject({ evictions: 0 });
  });

  it('refuses a value above its half, and keeps one just below', async () => {
    using folder = temporaryFolder();
    await using cache = await DiskCache.open(folder.path, { maxBytes: 4_000_000 });
    await expect(cache.set('big', bytesOf(1, 2_000_001))).rejects.toMatchObject({ code: 'ERR_TOO_LARGE' });
    await fill(cache, 0, 200, 16_000);
    await cache.set('half', bytesOf(1, 2_000_000));
    expect(await cache.get('half')).toHaveLength(2_000_000);
    expect(bytesIn(folder.path)).toBeLessThanOrEqual(4_040_000);
  });

  it('can be lowered by prune', async () => {
    using folder = temporaryFolder();
    await using cache = await DiskCache.open(folder.path);
    await fill(cache, 0, 800, 4000);
    await fill(cache, 1000, 40, 50_000);
    const { evicted, bytes } = await cache.prune({ maxBytes: '2MB' });
    expect(evicted).toBeGreaterThan(0);
    expect(bytes).toBeLessThanOrEqual(2_000_000);
    expect(bytesIn(folder.path)).toBeLessThanOrEqual(2_000_000);
    expect(await present(cache, 1000, 40), 'the younger stay').toBeGreaterThan(20);
    expect(await cache.verify()).toMatchObject({ corrupt: 0, orphans: 0 });
  });
});

describe('verify', () => {
  it('tells how far it is, and ends by its signal', async () => {
    using folder = temporaryFolder();
    await using cache = await DiskCache.open(folder.path);
    await cache.setMany(Array.from({ length: 700 }, (_, i) => [`${i}`, bytesOf(i, 10)]));
    const seen: number[] = [];
    await cache.verify({ onProgress: (checked) => seen.push(checked) });
    expect(seen).toEqual([256, 512, 700]);
    const reason = new Error('enough');
    const aborted = cache.verify({ signal: AbortSignal.abort(reason) });
    await expect(aborted).rejects.toBe(reason);
    await expect(cache.prune({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

describe('closing', () => {
  it('commits what is queued, ends the thread, and leaves one file where all values are small', async () => {
    using folder = temporaryFolder();
    const cache = await DiskCache.open(folder.path);
    expect(openFilesIn(folder.path)).not.toEqual([]);
    const committed = Promise.all(Array.from({ length: 700 }, (_, i) => cache.set(`${i}`, bytesOf(i, 100))));
    const closed = cache.close();
    for (const call of [cache.set('x', bytesOf(1, 1)), cache.get('x'), cache.has('x'), cache.delete('x')])
      await expect(call).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    await expect(cache.prune()).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    await closed;
    await cache.close();
    await committed;
    expect(readdirSync(folder.path)).toEqual(['cache.sqlite']);
    expect(openFilesIn(folder.path)).toEqual([]);
    rmSync(folder.path, { recursive: true });
    await using again = await DiskCache.open(folder.path);
    expect(await again.stats()).toMatchObject({ entries: 0 });
  });
});
