// The model cache over a disk: graphs come back from there as they were, and whatever is wrong there harms nobody.
import { readdirSync, writeFileSync } from 'node:fs';
import { utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { convolutions } from '../../scripts/make-model/test-graphs.mjs';
import { DiskCache } from '../../src/cache/disk-cache.js';
import { ModelCache } from '../../src/models/model-cache.js';
import type { ModelCacheOptions } from '../../src/models/model-cache-options.js';
import { native } from '../../src/native/load.js';
import { Spillway } from '../../src/spillway.js';
import { openFilesIn, type TemporaryFolder, temporaryFolder } from '../cache/temporary.js';
import { chainGraph, ones } from '../support/graphs.js';
import { overNative } from '../support/paths.js';
import { graph, model, node, plain, tensor } from '../support/proto-model.js';

const WIDTH = 400;
const GRAPH = chainGraph({ layers: 2, width: WIDTH, distinct: true });

describe.each(overNative ? (['native', 'stock'] as const) : (['stock'] as const))(
  'model cache over a disk: %s',
  (engine) => {
    let folder: TemporaryFolder;
    let disk: DiskCache;
    let file: string;
    beforeEach(async () => {
      folder = temporaryFolder();
      disk = await DiskCache.open(path.join(folder.path, 'cache'));
      file = path.join(folder.path, 'graph.onnx');
      await writeFile(file, GRAPH);
      await utimes(file, 1e9, 1e9);
    });
    afterEach(async () => {
      await disk.close();
      folder[Symbol.dispose]();
    });

    /** As after a restart: what `work` does with a cache of its own, and what that says of the disk. */
    async function restarted(work: (cache: ModelCache) => Promise<unknown>, options: ModelCacheOptions = {}) {
      const cache = new ModelCache({ engine, device: 'cpu', threads: 1, disk, ...options });
      try {
        await work(cache);
      } finally {
        await cache.close();
      }
      return cache.stats().disk;
    }
    const acquire = async (cache: ModelCache) => {
      using model = await cache.acquire(file);
      const { y } = await model.run({ x: ones(3, WIDTH) });
      return { y, inputs: model.inputMetadata, outputs: model.outputMetadata, sha256: model.sha256 };
    };

    it('loads from the disk after a restart, by path or as bytes, and nobody sees a difference', async () => {
      const seen: unknown[] = [];
      const first = await restarted(async (cache) => seen.push(await acquire(cache)));
      expect(first).toEqual({
        hits: 0,
        misses: 1,
        plain: 0,
        stored: 1,
        rejected: 0,
        unkept: 0,
        problem: undefined,
      });
      const second = await restarted(async (cache) => seen.push(await acquire(cache)));
      expect(second).toMatchObject({ hits: 1, misses: 0, stored: 0 });
      const third = await restarted((cache) => cache.acquire(GRAPH));
      expect(third).toMatchObject({ hits: 1, misses: 0, stored: 0 });
      expect(seen[1]).toEqual(seen[0]);
    });

    it('takes no input from an old graph, whose initialisers are inputs, nor gives it one', async () => {
      const add = (a: string, b: string, sum: string) => node('Add', [a, b], [sum]);
      // Nodes enough to be worth a place, which change nothing.
      const chain = Array.from({ length: 200 }, (_, i) =>
        node('Neg', [i === 0 ? 'x' : `x${i}`], [`x${i + 1}`]),
      );
      const old = model(
        graph({
          nodes: [...chain, add('v', 'w', 'folded'), add(`x${chain.length}`, 'folded', 'y')],
          initialisers: [tensor({ name: 'v' }), tensor({ name: 'w', raw: 8 })],
          inputs: ['x', 'v', 'w'],
        }),
      );
      old[old.indexOf(Buffer.from([8, 8])) + 1] = 3; // its IR version
      const use = async (cache: ModelCache) => {
        using held = await cache.acquire(old);
        expect(held.inputNames).toEqual(['x']);
        const x = { type: 'float32' as const, dims: [2], data: Float32Array.of(1, 2) };
        expect((await held.run({ x })).y?.data).toEqual(Float32Array.of(1, 2));
      };
      expect(await restarted(use)).toMatchObject({ stored: 1 });
      expect(await restarted(use)).toMatchObject({ hits: 1, rejected: 0 });
    });

    it('stores a graph that was given as bytes, which its caller may change from then on', async () => {
      const bytes = Uint8Array.from(GRAPH);
      const first = await restarted(async (cache) => {
        await cache.acquire(bytes);
        bytes.fill(0);
      });
      expect(first).toMatchObject({ stored: 1 });
      expect(await restarted(acquire)).toMatchObject({ hits: 1, rejected: 0 });
    });

    it('keeps a graph of several pieces whole', async () => {
      const large = convolutions({ layers: 3, channels: 512, side: 4 });
      expect(await restarted((cache) => cache.acquire(large))).toMatchObject({ stored: 1 });
      expect((await disk.stats()).entries).toBeGreaterThan(3);
      expect(await restarted((cache) => cache.acquire(large))).toMatchObject({ hits: 1 });
    });

    it('removes one that is damaged, loads plainly and stores it anew', async () => {
      await restarted(acquire);
      const objects = path.join(disk.folder.path, 'objects');
      const [object = ''] = readdirSync(objects, { recursive: true, encoding: 'utf8' }).filter(
        (name) => name.length > 60,
      );
      writeFileSync(path.join(objects, object), 'something else');
      expect(await restarted(acquire)).toMatchObject({ hits: 0, rejected: 1, stored: 1 });
      expect(await restarted(acquire)).toMatchObject({ hits: 1, rejected: 0 });
    });

    it('stores a graph once for all who load it at the same time', async () => {
      await restarted(async (cache) => {
        await Promise.all([cache.acquire(file), cache.acquire(file), cache.acquire(file, { threads: 2 })]);
        await cache.acquire(convolutions({ layers: 1, channels: 8, side: 4 })); // behind what is to be stored
        expect(cache.stats().disk).toMatchObject({ misses: 2, stored: 1, unkept: 0 });
      });
    });

    it('leaves alone a graph that is loaded faster than it is looked up', async () => {
      const stats = await restarted((cache) => cache.acquire(chainGraph({ layers: 2, width: 8 })));
      expect(stats).toMatchObject({ hits: 0, misses: 0, plain: 0, stored: 0 });
      expect((await disk.stats()).entries).toBe(0);
    });

    it('loads where the store cannot serve, and says why', async () => {
      const closed = await DiskCache.open(path.join(folder.path, 'closed'));
      await closed.close();
      expect(await restarted(acquire, { disk: closed })).toMatchObject({
        ...{ hits: 0, stored: 0, plain: 1 },
        problem: 'the disk cache is closed',
      });
    });

    it('does not keep a graph of which the store would hold few', async () => {
      const small = await DiskCache.open(path.join(folder.path, 'small'), { maxBytes: '4MB' });
      const large = chainGraph({ layers: 2, width: 512, distinct: true });
      const stats = await restarted((cache) => cache.acquire(large), { disk: small });
      expect(stats).toMatchObject({
        ...{ misses: 1, stored: 0, unkept: 1 },
        problem: 'expected an optimised graph of at most 1.0 MB but it has 2.1 MB',
      });
      await small.close();
    });

    it('leaves graphs that are not trusted alone', async () => {
      const stats = await restarted(acquire, { trust: 'untrusted' });
      expect(stats).toMatchObject({ hits: 0, misses: 0, plain: 0, stored: 0 });
      expect((await disk.stats()).entries).toBe(0);
    });

    it('leaves no file behind, also of a graph that cannot be loaded, and holds nothing on the ledger', async () => {
      await restarted(acquire);
      const bad = plain(node('NoSuchOperator', ['x'], ['y']));
      await expect(restarted((cache) => cache.acquire(bad))).rejects.toMatchObject({
        code: 'ERR_MODEL_REJECTED',
      });
      expect(readdirSync(disk.folder.path).filter((name) => name.startsWith('unnamed'))).toEqual([]);
      expect(openFilesIn(folder.path).filter((name) => name.includes('unnamed'))).toEqual([]);
      const { ledger } = native();
      const account = ledger.account('models', 0);
      for (let i = 0; i < 500 && ledger.held(account) > 0; i++) await sleep(10); // released on another thread
      expect(ledger.held(account)).toBe(0);
    });

    it('loads from the disk again what was evicted', async () => {
      const stats = await restarted(async (cache) => {
        const { sha256 } = await acquire(cache);
        for (let i = 0; i < 500 && (cache.stats().disk?.stored ?? 0) === 0; i++) await sleep(10);
        if (engine === 'native') native().governor.reclaim(1);
        else await cache.evict();
        expect(cache.stats()).toMatchObject({ models: [] });
        expect(await acquire(cache)).toMatchObject({ sha256 });
        const { pressure, room } = cache.stats().evictions;
        expect(engine === 'native' ? pressure : room).toBe(1);
      });
      expect(stats).toMatchObject({ hits: 1, misses: 1, stored: 1 });
    });

    it.runIf(engine === 'native')('keeps a form for each set of fixed dimensions', async () => {
      const fixed = (cache: ModelCache) => cache.acquire(file, { freeDimensions: { n: 4 } });
      await restarted(acquire);
      expect(await restarted(fixed)).toMatchObject({ misses: 1, stored: 1 });
      const stats = await restarted(async (cache) => {
        using model = await fixed(cache);
        expect(model.inputMetadata[0]?.dims).toEqual([4, WIDTH]);
        await expect(model.run({ x: ones(5, WIDTH) })).rejects.toMatchObject({
          code: 'ERR_INVALID_ARGUMENT',
        });
        expect((await model.run({ x: ones(4, WIDTH) })).y?.dims).toEqual([4, WIDTH]);
      });
      expect(stats).toMatchObject({ hits: 1 });
    });

    it('leaves before other entries of the store', async () => {
      await disk.set('result', new Uint8Array(1000));
      await restarted(acquire);
      expect((await disk.prune({ maxBytes: 200_000 })).evicted).toBeGreaterThan(0);
      expect(await disk.has('result')).toBe(true);
      expect(await restarted(acquire)).toMatchObject({ hits: 0, stored: 1 });
    });
  },
);

describe('a disk for all of spillway', () => {
  it('holds graphs beside results, in one cache that can be looked at', async () => {
    using folder = temporaryFolder();
    const cacheDir = path.join(folder.path, 'cache');
    const once = async () => {
      await using spillway = await Spillway.open({ cacheDir, device: 'cpu' });
      using _model = await spillway.models.acquire(GRAPH);
      return spillway;
    };
    expect((await once()).models.stats().disk).toMatchObject({ misses: 1, stored: 1 });
    expect((await once()).models.stats().disk).toMatchObject({ hits: 1 });
    await using cache = await DiskCache.open(cacheDir, { create: false });
    expect(await cache.verify()).toEqual({ checked: 2, corrupt: 0, orphans: 0 });
  });

  it('takes no folder, nor anything else', () => {
    expect(() => new ModelCache({ disk: '/tmp' as unknown as DiskCache })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT', message: expect.stringContaining('disk') }),
    );
  });
});
