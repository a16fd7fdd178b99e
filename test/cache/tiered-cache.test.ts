import { describe, expect, it } from 'vitest';
import { ByteCache } from '../../src/cache/byte-cache.js';
import { DiskCache } from '../../src/cache/disk-cache.js';
import { type CacheTier, TieredCache, type TierSetOptions } from '../../src/cache/tiered-cache.js';
import { temporaryFolder } from './temporary.js';

const bytes = (text: string) => Buffer.from(text);
const text = (value: Uint8Array | undefined) => value && Buffer.from(value).toString();

/** A tier over a Map that remembers what it was asked; `gate` holds its answers back. */
class MapTier implements CacheTier {
  readonly values = new Map<string, Uint8Array>();
  readonly asked: string[][] = [];
  readonly ttls: unknown[] = [];
  gate: Promise<void> = Promise.resolve();

  async getMany(keys: readonly (string | Uint8Array)[]): Promise<(Uint8Array | undefined)[]> {
    this.asked.push(keys.map(String));
    const found = keys.map((key) => this.values.get(String(key)));
    await this.gate;
    return found;
  }
  set(key: string | Uint8Array, value: Uint8Array, options?: TierSetOptions): void {
    this.values.set(String(key), value);
    this.ttls.push(options?.ttl);
  }
  delete(key: string | Uint8Array): boolean {
    return this.values.delete(String(key));
  }
}

describe('a tiered cache', () => {
  it('asks each tier for what those above it lack, and promotes what it finds', async () => {
    const [top, middle, bottom] = [new MapTier(), new MapTier(), new MapTier()];
    const cache = new TieredCache([top, middle, bottom], { promotionTtl: '1m' });
    top.set('a', bytes('A'));
    middle.set('b', bytes('B'));
    bottom.set('c', bytes('C'));
    expect((await cache.getMany(['c', 'x', 'a', 'b'])).map(text)).toEqual(['C', undefined, 'A', 'B']);
    expect([top, middle, bottom].map(({ asked }) => asked)).toEqual([
      [['c', 'x', 'a', 'b']],
      [['c', 'x', 'b']],
      [['c', 'x']],
    ]);
    expect([...top.values.keys()].sort()).toEqual(['a', 'b', 'c']);
    expect([...middle.values.keys()].sort()).toEqual(['b', 'c']);
    expect(top.ttls).toEqual([undefined, 60_000, 60_000]);
    expect(cache.stats()).toEqual({ hits: [1, 1, 1], misses: 1 });
    await cache.get('c');
    expect(bottom.asked).toHaveLength(1);
  });

  it('sets and removes in every tier', async () => {
    const [top, bottom] = [new MapTier(), new MapTier()];
    const cache = new TieredCache([top, bottom]);
    await cache.setMany([
      ['a', bytes('A'), { ttl: '1h' }],
      ['b', bytes('B')],
    ]);
    await cache.delete('b');
    for (const { values, ttls } of [top, bottom]) {
      expect([...values.keys()]).toEqual(['a']);
      expect(ttls).toEqual(['1h', undefined]);
    }
  });

  it.each(['set', 'delete'] as const)('does not promote what a %s made old meanwhile', async (change) => {
    const [top, bottom] = [new MapTier(), new MapTier()];
    const cache = new TieredCache([top, bottom]);
    bottom.set('a', bytes('old'));
    let open = () => {};
    bottom.gate = new Promise((resolve) => {
      open = resolve;
    });
    const looking = cache.get('a');
    await new Promise((resolve) => setImmediate(resolve));
    await (change === 'set' ? cache.set('a', bytes('new')) : cache.delete('a'));
    open();
    await looking;
    expect(text(top.values.get('a'))).toBe(change === 'set' ? 'new' : undefined);
  });

  it('stands over memory and disk, and finds on disk what memory lost', async () => {
    using folder = temporaryFolder();
    await using disk = await DiskCache.open(folder.path);
    const memory = new ByteCache({ maxBytes: '8MB' });
    const cache = new TieredCache([memory, disk]);
    const key = Uint8Array.of(1, 0, 255);
    await cache.set(key, bytes('kept'));
    expect(text(memory.get(key))).toBe('kept');
    memory.clear();
    expect(text(await cache.get(key))).toBe('kept');
    expect(text(memory.get(key))).toBe('kept');
    expect(cache.stats()).toEqual({ hits: [0, 1], misses: 0 });
  });

  it('needs a tier', () => {
    expect(() => new TieredCache([])).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' }));
  });
});
