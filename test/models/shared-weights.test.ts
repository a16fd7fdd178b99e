// Sessions that share the weights of their graph: which, what they cost, and what is left when they go.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { LoadPlan } from '../../src/contract/index.js';
import { onnxruntimeLibrary } from '../../src/models/engine/onnxruntime.js';
import { ModelCache } from '../../src/models/model-cache.js';
import { fromBytes } from '../../src/models/model-source.js';
import { sharingOf } from '../../src/models/shared-weights.js';
import { native } from '../../src/native/load.js';
import { chainGraph, ones } from '../support/graphs.js';
import { CPU_PLAN } from '../support/load-plan.js';
import { overNative } from '../support/paths.js';
import { body, model, node, graph as protoGraph, tensor } from '../support/proto-model.js';
import { MB, weighty } from '../support/weighty-graphs.js';

const LAYERS = 6;
const WIDTH = 1024;
const WEIGHTS = LAYERS * WIDTH * WIDTH * 4;
/** Raw, and packed. */
const SHARED = 2 * WEIGHTS;
const graph = chainGraph({ layers: LAYERS, width: WIDTH, distinct: true });

const { ledger, governor } = native();
const models = ledger.account('models', 0);
const held = () => ledger.held(models);
const settings = { engine: 'native', device: 'cpu', threads: 1 } as const;
const open = (options = {}) => new ModelCache({ ...settings, shareWeights: true, ...options });
const freed = () => vi.waitFor(() => expect(held()).toBe(0), { timeout: 10_000 });

describe.runIf(overNative)('shared weights', () => {
  beforeAll(() => {
    native().infer?.open(onnxruntimeLibrary());
  });
  afterEach(async () => {
    ledger.setLimit(models, Number.POSITIVE_INFINITY);
    await freed();
  });

  it('cost one more copy of them, and from the third session on less than each its own', async () => {
    const figures = async (cache: ModelCache) => {
      const sums: number[] = [];
      for (const concurrency of [1, 2, 3, 4]) {
        await cache.acquire(graph, { concurrency });
        sums.push(held() / WEIGHTS);
        expect(held()).toBe(cache.stats().bytes);
      }
      await cache.close();
      await freed();
      return sums;
    };
    const [own, shared] = [await figures(new ModelCache(settings)), await figures(open())];
    for (const [index, figure] of own.entries()) expect(figure).toBeCloseTo(index + 1, 1);
    for (const figure of shared) expect(figure).toBeCloseTo(2, 1);
  });

  // A sanitizer's allocator has pages of its own beside each of ours.
  it.skipIf(process.env.SPILLWAY_SANITIZER_LIBRARY)('are charged what memory grows by', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'spillway-shared-'));
    const file = path.join(folder, 'graph.onnx');
    const script = path.join(import.meta.dirname, 'load-and-measure.mjs');
    for (const bytes of [graph, weighty('a table that is multiplied with, of float32')]) {
      await writeFile(file, bytes);
      const args = ['--expose-gc', script, file, file, JSON.stringify({ shareWeights: true })];
      const { grown, charged, left } = JSON.parse((await promisify(execFile)(process.execPath, args)).stdout);
      expect(Math.abs(charged - grown)).toBeLessThan(Math.max(MB, 0.05 * grown));
      expect(left).toBe(0);
    }
    await rm(folder, { recursive: true });
  });

  it('are not those whose names graphs within nodes use as well', async () => {
    const w = tensor({ name: 'w', dims: [64, 64], raw: 64 * 64 * 4 });
    const inner = protoGraph({
      inputs: [],
      nodes: [node('MatMul', ['v', 'w'], ['y'])],
      initialisers: [w, tensor({ name: 'v', dims: [2, 64], raw: 512 })],
    });
    const nodes = [node('MatMul', ['x', 'w'], ['h']), node('If', ['h'], ['y'], body('then_branch', inner))];
    const named = await fromBytes(model(protoGraph({ nodes, initialisers: [w] })), []);
    expect(sharingOf(named).weights.tensors).toEqual([]);
    const alone = await fromBytes(
      model(protoGraph({ nodes: [node('MatMul', ['x', 'w'], ['y'])], initialisers: [w] })),
      [],
    );
    expect(sharingOf(alone).weights.tensors).toMatchObject([{ name: 'w', typeNumber: 1, dims: [64, 64] }]);
  });

  it('are not those that a caller may replace', async () => {
    const w = tensor({ name: 'w', dims: [64, 64], raw: 64 * 64 * 4 });
    const nodes = [node('MatMul', ['x', 'w'], ['y'])];
    const source = await fromBytes(model(protoGraph({ nodes, initialisers: [w], inputs: ['x', 'w'] })), []);
    expect(sharingOf(source).weights.tensors).toEqual([]);
  });

  it('are not those that an optimiser may change in their place, or that become others', async () => {
    const shared = async (kind: string) => {
      const bytes = await fromBytes(weighty(kind), []);
      return sharingOf(bytes).weights.tensors.length;
    };
    expect(await shared('layers of float32')).toBe(12);
    expect(await shared('a table that is multiplied with, of float32')).toBe(1);
    for (const kind of ['layers of float16', 'convolutions of float32', 'matrices added, of float32'])
      expect(await shared(kind)).toBe(0);
  });

  it('are shared by loads at the same time, with one copy', async () => {
    const source = await fromBytes(graph, []);
    const plan: LoadPlan = { ...CPU_PLAN, sharedWeights: sharingOf(source).weights };
    const sessions = await Promise.all([1, 2, 3].map(() => native().infer?.load(graph, plan)));
    expect(held() / SHARED).toBeCloseTo(1, 2);
    const counted = sessions.map((session) => session?.sharedBytes() ?? 0);
    expect(counted.filter((bytes) => bytes > 0)).toHaveLength(1);
    for (const session of sessions) session?.release();
  });

  it('are shared with other caches and worker threads, and outlive who loaded them first', async () => {
    const first = open();
    await first.acquire(graph);
    const before = held();
    await using second = open();
    using model = await second.acquire(graph);
    const expected = await model.run({ x: ones(2, WIDTH) });
    const worker = new Worker(new URL('share-worker.mjs', import.meta.url), {
      workerData: { graph, loads: 2 },
    });
    await once(worker, 'message');
    await once(worker, 'message');
    expect(held() - before).toBeLessThan(MB);
    await first.close();
    await worker.terminate();
    expect(await model.run({ x: ones(2, WIDTH) })).toEqual(expected);
    await vi.waitFor(() => expect(held()).toBe(model.bytes));
    expect(model.bytes / SHARED).toBeCloseTo(1, 2);
  });

  it('leave nothing behind where a worker ends in the middle of loading', async () => {
    for (const delay of [5, 20, 40, 60, 80]) {
      const worker = new Worker(new URL('share-worker.mjs', import.meta.url), {
        workerData: { graph, loads: 1000 },
      });
      await once(worker, 'message');
      await new Promise((resolve) => setTimeout(resolve, delay));
      await worker.terminate();
      await freed();
    }
  });

  it('leave nothing behind where the ledger refuses, and are loaded once there is room', async () => {
    const source = await fromBytes(graph, []);
    const own = sharingOf(source).weights;
    const plan: LoadPlan = { ...CPU_PLAN, structureBytes: 1000, sharedWeights: own };
    for (const limit of [1000, SHARED - 1, SHARED + 500]) {
      ledger.setLimit(models, limit);
      await expect(native().infer?.load(graph, plan)).rejects.toMatchObject({
        code: 'ERR_OUT_OF_MEMORY',
        message: expect.stringMatching(/^(sharing the weights|loading the graph) wanted \d+ bytes more/),
      });
      expect(held()).toBe(0);
    }
    ledger.setLimit(models, SHARED + MB);
    (await native().infer?.load(graph, plan))?.release();
  });

  it('leave nothing behind where the graph cannot be loaded', async () => {
    const w = tensor({ name: 'w', dims: [64, 64], raw: 64 * 64 * 4 });
    const broken = model(
      protoGraph({
        nodes: [node('MatMul', ['x', 'w'], ['a']), node('Relu', ['a', 'x'], ['y'])],
        initialisers: [w],
      }),
    );
    await using cache = open();
    await expect(cache.acquire(broken)).rejects.toMatchObject({ code: 'ERR_MODEL_REJECTED' });
    expect(held()).toBe(0);
  });

  it('come back with the last of their sessions, the others give back what is their own', async () => {
    await using cache = open();
    (await cache.acquire(graph, { concurrency: 1 }))[Symbol.dispose]();
    (await cache.acquire(graph, { concurrency: 2 }))[Symbol.dispose]();
    const before = held();
    const small = await cache.evict(1);
    expect(small).toBeGreaterThan(0);
    expect(small).toBeLessThan(MB);
    expect(held()).toBe(before - small);
    expect(cache.stats().bytes).toBe(held());
    const rest = held();
    expect(governor.reclaim(1)).toBe(rest);
    expect(held()).toBe(0);
    expect(cache.stats()).toMatchObject({ evictedBytes: before, bytes: 0 });
  });

  it('count once for the bound of a cache, also when the session they were counted with has gone', async () => {
    await using cache = open({ maxBytes: SHARED + MB });
    const first = await cache.acquire(graph, { concurrency: 1 });
    const second = await cache.acquire(graph, { concurrency: 2 });
    expect(cache.stats().bytes).toBeLessThan(SHARED + MB);
    first[Symbol.dispose]();
    await cache.evict();
    expect(second.bytes / SHARED).toBeCloseTo(1, 2);
    const other = chainGraph({ layers: LAYERS, width: WIDTH, distinct: true, seed: 1 });
    await expect(cache.acquire(other, { shareWeights: false })).rejects.toMatchObject({
      code: 'ERR_OUT_OF_MEMORY',
      message: expect.stringContaining('models in use hold'),
    });
    second[Symbol.dispose]();
  });
});

it('shared weights need the native engine', async () => {
  await using cache = new ModelCache({ engine: 'stock', device: 'cpu', threads: 1 });
  const small = chainGraph({ layers: 1, width: 8 });
  await expect(cache.acquire(small, { shareWeights: true })).rejects.toMatchObject({
    code: 'ERR_NATIVE_UNAVAILABLE',
    message: 'shareWeights needs the native engine, but the stock one serves: asked for',
  });
});
