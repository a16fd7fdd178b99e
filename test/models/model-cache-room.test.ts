// What a cache does when its room is short: who has to go, who may stay, and what is refused.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { encodeModel } from '../../scripts/make-model/encoder.mjs';
import type { Inference } from '../../src/contract/index.js';
import type { Model } from '../../src/models/model.js';
import { ModelCache } from '../../src/models/model-cache.js';
import type { ModelCacheOptions } from '../../src/models/model-cache-options.js';
import { native } from '../../src/native/load.js';
import { chainGraph, ones } from '../support/graphs.js';
import { overNative } from '../support/paths.js';

const WIDTH = 256;
const LAYERS = 2;
const WEIGHTS = LAYERS * WIDTH * WIDTH * 4;
/** What a child process takes is measured from outside: its first load brings some 30 MB of the library with it. */
const CHILD_ROOM = 80e6;
const graph = (seed: number) => chainGraph({ layers: LAYERS, width: WIDTH, distinct: true, seed });
const [a, b, c] = [graph(1), graph(2), graph(3)];

let cache: ModelCache;
const open = (options: ModelCacheOptions = {}) => {
  cache = new ModelCache({ device: 'cpu', threads: 1, ...options });
};
afterEach(() => cache.close());

const touch = async (source: Uint8Array, options?: { pin: boolean }) => {
  using model = await cache.acquire(source, options);
  return model.sha256;
};
const loaded = () => new Set(cache.stats().models.map(({ sha256 }) => sha256));

// Exact bytes are the addon's; those of a child process are measured from outside.
describe.runIf(overNative)('room of a model cache, to the byte', () => {
  const { ledger } = native();
  const account = ledger.account('models', 0);
  const held = () => ledger.held(account);

  it('evicts the idle graph used longest ago, by what it measured, and has its memory back', async () => {
    open({ maxBytes: 2.5 * WEIGHTS });
    const [shaA, shaB] = [await touch(a), await touch(b)];
    await touch(a);
    const bytesOfB = cache.stats().models.find(({ sha256 }) => sha256 === shaB)?.bytes;
    expect(bytesOfB).toBeGreaterThanOrEqual(WEIGHTS);
    const shaC = await touch(c);
    expect(loaded()).toEqual(new Set([shaA, shaC]));
    expect(cache.stats()).toMatchObject({
      loads: 3,
      hits: 1,
      reloads: 0,
      evictions: { room: 1, expired: 0, pressure: 0 },
      evictedBytes: bytesOfB,
    });
    expect(held()).toBe(cache.stats().bytes);
    await touch(b);
    expect(loaded()).toEqual(new Set([shaB, shaC]));
    expect(cache.stats()).toMatchObject({ loads: 4, reloads: 1, evictions: { room: 2 } });
  });

  it('refuses what fits only without graphs in use, and loads it once they are idle', async () => {
    open({ maxBytes: 2.5 * WEIGHTS });
    const [first, second] = [await cache.acquire(a), await cache.acquire(b)];
    await expect(cache.acquire(c)).rejects.toMatchObject({
      code: 'ERR_OUT_OF_MEMORY',
      message: expect.stringContaining('models in use hold'),
    });
    expect(held()).toBe(cache.stats().bytes);
    expect((await first.run({ x: ones(1, WIDTH) })).y?.dims).toEqual([1, WIDTH]);
    first[Symbol.dispose]();
    await touch(c);
    expect(loaded()).toContain(second.sha256);
    second[Symbol.dispose]();
  });

  it('keeps what a run in flight still uses, though nobody holds it', async () => {
    open({ maxBytes: 1.5 * WEIGHTS });
    const model = await cache.acquire(a);
    const run = model.run({ x: ones(60_000, WIDTH) });
    model[Symbol.dispose]();
    await expect(cache.acquire(b)).rejects.toMatchObject({ code: 'ERR_OUT_OF_MEMORY' });
    expect((await run).y?.dims).toEqual([60_000, WIDTH]);
    await touch(b);
    expect(cache.stats()).toMatchObject({ evictions: { room: 1 } });
  });

  it('judges a graph by what it takes once it is loaded, and refuses it at the door the next time', async () => {
    // Packed, and each in a block of its own, these weights take twice their bytes, which are expected beside the nodes.
    const small = chainGraph({ layers: 3, width: 7, distinct: true });
    open({ maxBytes: 3 * 6144 + 1.25 * 3 * 7 * 7 * 4 });
    const load = vi.spyOn(native().infer as Inference, 'load');
    for (let attempt = 0; attempt < 2; attempt++) {
      await expect(cache.acquire(small)).rejects.toMatchObject({
        code: 'ERR_BUDGET_EXCEEDED',
        message: expect.stringMatching(/within maxBytes, 19 kB, but it takes 20 kB/),
      });
      await vi.waitFor(() => expect(held()).toBe(0));
    }
    expect(load).toHaveBeenCalledTimes(1);
    load.mockRestore();
    expect(cache.stats()).toMatchObject({ loads: 0, models: [] });
  });

  it('lets idle graphs of any cache go where the budget of the process refuses a load', async () => {
    open();
    await using other = new ModelCache({ device: 'cpu', threads: 1 });
    (await other.acquire(a))[Symbol.dispose]();
    const { sha256 } = await other.acquire(c).then((model) => {
      model[Symbol.dispose]();
      return model;
    });
    ledger.setLimit(account, 2.5 * WEIGHTS);
    try {
      await touch(b);
    } finally {
      ledger.setLimit(account, Number.POSITIVE_INFINITY);
    }
    expect(other.stats()).toMatchObject({ models: [{ sha256 }], evictions: { pressure: 1 } });
    expect(cache.stats()).toMatchObject({ loads: 1, evictions: { pressure: 0 } });
  });
});

describe('room of a model cache', () => {
  it('stays within its bytes over many graphs, and the one in use stays', async () => {
    const width = overNative ? 256 : 1448;
    const many = Array.from({ length: overNative ? 6 : 12 }, (_, seed) =>
      chainGraph({ layers: 1, width, distinct: true, seed }),
    );
    const one = width * width * 4;
    const maxBytes = overNative ? 2.5 * one : CHILD_ROOM;
    open({ maxBytes });
    using first = await cache.acquire(many[0] as Uint8Array);
    for (const each of [...many, ...many]) {
      await touch(each);
      expect(cache.stats().bytes).toBeLessThanOrEqual(maxBytes);
      expect(loaded()).toContain(first.sha256);
    }
    const { evictions, reloads, evictedBytes } = cache.stats();
    expect(evictions.room).toBeGreaterThan(2);
    expect(reloads).toBeGreaterThan(0);
    expect(evictedBytes).toBeGreaterThanOrEqual(evictions.room * one);
    expect((await first.run({ x: ones(1, width) })).y?.dims).toEqual([1, width]);
  });

  it('refuses a graph that is larger than all its room before loading it', async () => {
    open({ maxBytes: WEIGHTS / 2 });
    await expect(cache.acquire(a)).rejects.toMatchObject({ code: 'ERR_BUDGET_EXCEEDED' });
    expect(cache.stats()).toMatchObject({ loads: 0, models: [] });
  });

  it('lets a graph go when its time to live after the last use is over, but no pinned one', async () => {
    open({ ttl: 40 });
    const [shaA] = [await touch(a, { pin: true }), await touch(b)];
    using _held = await cache.acquire(c);
    await vi.waitFor(() => expect(loaded()).toHaveLength(2), { timeout: 10_000 });
    await vi.waitFor(() => expect(cache.stats().evictions).toEqual({ room: 0, expired: 1, pressure: 0 }));
    expect(loaded()).toContain(shaA);
    await touch(b);
    expect(cache.stats()).toMatchObject({ loads: 4, reloads: 1 });
  });

  it('keeps pinned graphs until it is cleared', async () => {
    open();
    const sha = await touch(a, { pin: true });
    await touch(a);
    expect(cache.stats().models).toMatchObject([{ sha256: sha, references: 0, pinned: true }]);
    const held: Model = await cache.acquire(a);
    cache.clear();
    expect(cache.stats().models).toMatchObject([{ sha256: sha, references: 1, pinned: false }]);
    held[Symbol.dispose]();
    await touch(b, { pin: true });
    cache.clear();
    expect(cache.stats()).toMatchObject({ models: [], bytes: 0, evictions: { room: 0, expired: 0 } });
  });

  it('gives back what is asked for of what is idle, and never what is pinned', async () => {
    open();
    const sha = await touch(a, { pin: true });
    await touch(b);
    await touch(c);
    expect(await cache.evict(1)).toBeGreaterThanOrEqual(WEIGHTS);
    expect(loaded()).toHaveLength(2);
    await cache.evict();
    expect(loaded()).toEqual(new Set([sha]));
    expect(await cache.evict()).toBe(0);
    expect(cache.stats()).toMatchObject({ evictions: { room: 2 } });
  });

  it('rejects bounds that are none', () => {
    open();
    for (const options of [
      { maxBytes: 'much' },
      { maxBytes: 0 },
      { ttl: 'soon' },
      { ttl: 0 },
      { maxBytes: '0%' },
    ])
      expect(() => new ModelCache(options)).toThrow(
        expect.objectContaining({
          code: 'ERR_INVALID_ARGUMENT',
          message: expect.stringMatching(/ModelCache\.(maxBytes|ttl)/),
        }),
      );
    expect(new ModelCache({ maxBytes: '1MB' }).stats().maxBytes).toBe(1e6);
  });
});

/** A graph with as many bytes that it does not need. */
function ballast(bytes: number): Uint8Array {
  const value = (name: string) => ({ name, type: 'float32' as const, dims: [1] });
  return encodeModel({
    name: 'ballast',
    inputs: [value('x')],
    outputs: [value('y')],
    nodes: [{ op: 'Identity', inputs: ['x'], outputs: ['y'] }],
    constants: { ballast: { type: 'uint8', dims: [bytes], data: new Uint8Array(bytes) } },
  });
}

describe('preloading', () => {
  let folder: string;
  const file = (name: string) => path.join(folder, name);
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'spillway-preload-'));
    await Promise.all([writeFile(file('a'), a), writeFile(file('b'), b), writeFile(file('c'), c)]);
    await writeFile(file('large'), ballast(CHILD_ROOM));
    return () => rm(folder, { recursive: true });
  });

  it('pins primary models, loads them first, and skips secondary ones it cannot have', async () => {
    open({ maxBytes: overNative ? 2.5 * WEIGHTS : CHILD_ROOM });
    const report = await cache.preload([
      { path: file('large'), role: 'secondary' },
      { path: file('none'), role: 'secondary' },
      { path: file('b'), role: 'secondary' },
      { path: file('a'), role: 'primary' },
    ]);
    expect(report).toMatchObject([
      { path: file('large'), outcome: 'skipped', code: 'ERR_BUDGET_EXCEEDED' },
      { path: file('none'), outcome: 'skipped', code: 'ENOENT' },
      { path: file('b'), role: 'secondary', outcome: 'loaded', device: 'cpu' },
      { path: file('a'), role: 'primary', outcome: 'loaded', device: 'cpu' },
    ]);
    for (const row of report) if (row.outcome === 'loaded') expect(row.bytes).toBeGreaterThan(WEIGHTS / 2);
    expect(await cache.preload([{ path: file('a'), role: 'primary' }])).toMatchObject([
      { outcome: 'shared' },
    ]);
  });

  // Which models fit is told from exact bytes.
  it.runIf(overNative)('evicts secondary models, not primary ones, and none that was skipped', async () => {
    open({ maxBytes: 2.5 * WEIGHTS });
    const [primary] = await cache.preload([
      { path: file('a'), role: 'primary' },
      { path: file('b'), role: 'secondary' },
    ]);
    native().governor.reclaim(1);
    expect(cache.stats().models).toMatchObject([{ sha256: primary?.outcome === 'loaded' && primary.sha256 }]);
    await touch(b);
    await touch(c);
    expect(cache.stats().models).toMatchObject([{ pinned: true }, { pinned: false }]);
    expect(cache.stats().evictions).toEqual({ room: 1, expired: 0, pressure: 1 });
  });

  it('leaves secondary models alone where asked to', async () => {
    open();
    const wanted = [
      { path: file('a'), role: 'primary' as const },
      { path: file('b'), role: 'secondary' as const },
    ];
    expect(await cache.preload(wanted, { skipSecondary: true })).toMatchObject([
      { outcome: 'loaded' },
      { outcome: 'skipped', reason: 'not asked for' },
    ]);
    expect(cache.stats().models).toHaveLength(1);
  });

  it('rejects where a primary model cannot be had, and roles it does not know', async () => {
    open();
    await expect(cache.preload([{ path: file('none'), role: 'primary' }])).rejects.toMatchObject({
      code: 'ENOENT',
    });
    await expect(cache.preload([{ path: file('a'), role: 'tertiary' as 'primary' }])).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
    });
  });
});
