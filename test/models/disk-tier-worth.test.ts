// Whether the disk pays: what is loaded from where, by a clock that the test turns.
import { createHash } from 'node:crypto';
import { truncateSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DiskCache } from '../../src/cache/disk-cache.js';
import type { LoadPlan } from '../../src/contract/index.js';
import { DiskTier } from '../../src/models/disk-tier/disk-tier.js';
import { graphKey, processorOf } from '../../src/models/disk-tier/graph-key.js';
import { decodeRecord } from '../../src/models/disk-tier/graph-record.js';
import type { Engine, EngineSession } from '../../src/models/engine/engine.js';
import { fromBytes } from '../../src/models/model-source.js';
import { native } from '../../src/native/load.js';
import { SpillwayError } from '../../src/util/errors.js';
import { openFilesIn, type TemporaryFolder, temporaryFolder } from '../cache/temporary.js';
import { twoOutputsGraph } from '../support/graphs.js';
import { CPU_PLAN } from '../support/load-plan.js';

const GRAPH = twoOutputsGraph();
/** What it takes once loaded. */
const WEIGHT = 100_000;

let folder: TemporaryFolder;
let store: DiskCache;
let clock: number;
let plans: LoadPlan[];
let took: { plain: number; disk: number };
/** What is written as the optimised graph, or how much of nothing. */
let written: Uint8Array | number;
let failure: SpillwayError | undefined;

const value = (name: string) => ({ name, type: 'float32' as const, dims: ['n', 2] });
let inputs: { plain: string[]; disk: string[] };
let released: number;
const sessionOf = (names: readonly string[]) =>
  ({
    ...{ bytes: () => WEIGHT, inputs: names.map(value), outputs: [] },
    release: () => {
      released++;
    },
  }) as unknown as EngineSession;

/** An engine whose loads take what the test says, and which fails at optimising where it says so. */
const engine: Engine = {
  name: 'native',
  version: '1.0.0',
  load: async (_, plan) => {
    plans.push(plan);
    if (failure && plan.optimisedPath !== '') throw failure;
    if (plan.optimisedPath === '') clock += plan.optimise ? took.plain : took.disk;
    else if (typeof written === 'number') truncateSync(plan.optimisedPath, written);
    else writeFileSync(plan.optimisedPath, written);
    return sessionOf(plan.optimise ? inputs.plain : inputs.disk);
  },
  close: async () => undefined,
  childRssBytes: () => 0,
  peakChildRssBytes: () => 0,
};

beforeEach(async () => {
  folder = temporaryFolder();
  store = await DiskCache.open(folder.path);
  clock = 0;
  plans = [];
  took = { plain: 30, disk: 15 };
  written = GRAPH;
  inputs = { plain: ['a', 'b'], disk: ['a', 'b'] };
  released = 0;
  failure = undefined;
});
afterEach(async () => {
  const { ledger } = native();
  expect(ledger.held(ledger.account('models', 0))).toBe(0);
  await store.close();
  folder[Symbol.dispose]();
});

/** One load by a cache of its own, as after a restart; whether it was from the disk. */
async function load(plan = CPU_PLAN, on = engine) {
  const tier = new DiskTier(store, [], () => clock);
  using model = await fromBytes(GRAPH, []);
  await tier.load({ engine: on, model, plan });
  const { optimise } = plans.findLast(({ optimisedPath }) => optimisedPath === '') as LoadPlan;
  await tier.close();
  return { from: optimise ? 'plain' : 'disk', ...tier.stats() };
}

const loads = async (count: number) => {
  const from: string[] = [];
  for (let i = 0; i < count; i++) from.push((await load()).from);
  return from;
};

const key = () => graphKey(engine, createHash('sha256').update(GRAPH).digest('hex'), CPU_PLAN);
const record = async () => decodeRecord((await store.get(key())) ?? Buffer.alloc(0));

describe('the worth of the disk', () => {
  it('is found out in six loads, three of each kind; then a faster disk serves', async () => {
    expect(await loads(9)).toEqual([
      'plain',
      ...['disk', 'disk', 'plain', 'disk', 'plain'],
      ...['disk', 'disk', 'disk'],
    ]);
    expect(await record()).toMatchObject({ plain: [30, 30, 30], disk: [15, 15, 15] });
  });

  it('is not given where the disk is no faster: the graph goes, and a mark stays', async () => {
    took = { plain: 20, disk: 33 };
    expect((await loads(9)).slice(5)).toEqual(['plain', 'plain', 'plain', 'plain']);
    expect(await record()).toEqual({ left: 'loading it from the disk took 33.0 ms, and plainly 20.0 ms' });
    expect((await store.stats()).entries).toBe(1);
    expect(await load()).toMatchObject({ from: 'plain', plain: 1, stored: 0 });
  });

  it('is not decided by one slow load', async () => {
    await loads(2);
    took.disk = 500;
    await loads(1);
    took.disk = 15;
    expect((await loads(6)).slice(-3)).toEqual(['disk', 'disk', 'disk']);
    took.disk = 500;
    expect(await loads(1)).toEqual(['disk']);
    took.disk = 15;
    expect(await loads(2)).toEqual(['disk', 'disk']);
  });

  it('is lost where the disk has become slower', async () => {
    await loads(7);
    took.disk = 40;
    expect(await loads(4)).toEqual(['disk', 'disk', 'plain', 'plain']);
  });
});

describe('optimising for the disk', () => {
  it('is done by a session of its own, on one thread, without a profile', async () => {
    const plan = { ...CPU_PLAN, threads: 4, profile: '/tmp/profile' };
    expect(await load(plan)).toMatchObject({ misses: 1, stored: 1 });
    const [plain, optimising] = plans;
    expect(plain).toEqual(plan);
    expect(optimising).toEqual({
      ...plan,
      ...{
        threads: 1,
        concurrency: 1,
        profile: '',
        optimisedPath: expect.stringMatching(/^\/proc\/\d+\/fd\/\d+$/),
      },
    });
  });

  it('that fails leaves no file, fails no load, and is not tried again', async () => {
    failure = new SpillwayError('ERR_MODEL_REJECTED', 'it contains compiled nodes');
    expect(await load()).toMatchObject({ misses: 1, unkept: 1, problem: 'it contains compiled nodes' });
    expect(openFilesIn(folder.path).filter((name) => name.includes('unnamed'))).toEqual([]);
    expect(await load()).toMatchObject({ from: 'plain', plain: 1, unkept: 0 });
    expect(plans).toHaveLength(3);
  });

  it('that was refused for want of memory, or ended, is tried again', async () => {
    for (const code of ['ERR_OUT_OF_MEMORY', 'ERR_ABORTED'] as const) {
      failure = new SpillwayError(code, 'not now');
      expect(await load()).toMatchObject({ misses: 1, unkept: 1, stored: 0 });
    }
    failure = undefined;
    expect(await load()).toMatchObject({ misses: 1, stored: 1 });
    expect(openFilesIn(folder.path).filter((name) => name.includes('unnamed'))).toEqual([]);
  });

  it('is not begun where twice what it takes is not free', async () => {
    const { ledger } = native();
    const account = ledger.account('models', 0);
    ledger.setLimit(account, 3 * WEIGHT + 2 * GRAPH.length);
    try {
      expect(await load()).toMatchObject({ misses: 1, unkept: 1, stored: 0 });
      ledger.setLimit(account, 4 * WEIGHT + 2 * GRAPH.length);
      expect(await load()).toMatchObject({ misses: 1, unkept: 0, stored: 1 });
    } finally {
      ledger.setLimit(account, Number.POSITIVE_INFINITY);
    }
  });

  it('gives nothing to the store that is no graph for it', async () => {
    written = 0;
    expect(await load()).toMatchObject({ unkept: 1, problem: 'the engine wrote no optimised graph' });
    await store.clear();
    written = 257e6;
    expect(await load()).toMatchObject({
      unkept: 1,
      problem: 'expected an optimised graph of at most 256 MB but it has 257 MB',
    });
    expect((await store.stats()).entries).toBe(1);
  });

  it('is not begun once the cache is closed', async () => {
    const tier = new DiskTier(store, []);
    using model = await fromBytes(GRAPH, []);
    const [closed] = [tier.close(), await tier.load({ engine, model, plan: CPU_PLAN })];
    await closed;
    expect(tier.stats()).toMatchObject({ misses: 1, stored: 0, unkept: 0 });
    expect(plans).toHaveLength(1);
  });
});

describe('what comes from the disk', () => {
  it('is vetted: what is no sound graph is removed, and not stored again', async () => {
    written = Buffer.from('nonsense');
    await load();
    expect(await load()).toMatchObject({ from: 'plain', hits: 0, rejected: 1, stored: 0 });
    expect(await record()).toEqual({ left: expect.stringContaining('model') });
    expect(await load()).toMatchObject({ from: 'plain', rejected: 0 });
  });

  it('is left from then on if it wants other inputs', async () => {
    inputs.disk = ['a', 'b', 'w'];
    await load();
    expect(await load()).toMatchObject({ from: 'plain', hits: 0, rejected: 1 });
    expect(released).toBe(2); // the one that wrote, and the one that did not fit
    expect(await record()).toEqual({ left: expect.stringContaining('expected the inputs [a, b]') });
  });

  it('is stored anew where a piece of it is gone', async () => {
    await load();
    await store.delete(`${key()} 0`);
    expect(await load()).toMatchObject({ from: 'plain', rejected: 1, stored: 1 });
    expect(await load()).toMatchObject({ from: 'disk', hits: 1 });
  });

  it('is left where it is if there is no room to read it', async () => {
    await load();
    const { ledger } = native();
    const account = ledger.account('models', 0);
    const others = 1e6 - GRAPH.length + 1;
    ledger.setLimit(account, 1e6);
    ledger.overdraw(account, others);
    expect(await load()).toMatchObject({ from: 'plain', rejected: 0, plain: 1 });
    ledger.credit(account, others);
    ledger.setLimit(account, Number.POSITIVE_INFINITY);
    expect(await load()).toMatchObject({ from: 'disk', hits: 1 });
  });

  it.each([
    ['another version of the runtime', {}, { ...engine, version: '1.0.1' }],
    ['another engine', {}, { ...engine, name: 'stock' as const }],
    ['another device', { device: 'webgpu' as const }, engine],
    ['fixed dimensions', { freeDimensions: [{ name: 'n', size: 4 }] }, engine],
    ['operators of others', { operatorLibraries: [{ path: '/a', sha256: 'a' }] }, engine],
  ])('is not for %s', async (_, options, on) => {
    await load();
    expect(await load({ ...CPU_PLAN, ...options }, on)).toMatchObject({ misses: 1, hits: 0, stored: 1 });
    expect(await load()).toMatchObject({ hits: 1 });
  });

  it('is for any number of threads', async () => {
    await load();
    expect(await load({ ...CPU_PLAN, threads: 8, concurrency: 3 })).toMatchObject({ hits: 1 });
  });
});

it('knows a processor by what it can do, not by what it does just now', () => {
  const cpuinfo = (flags: string, mhz: string) =>
    `processor\t: 0\nmodel name\t: A\ncpu MHz\t\t: ${mhz}\nflags\t\t: ${flags}\n\nprocessor\t: 1\nmodel name\t: B\n`;
  expect(processorOf(cpuinfo('sse2 avx2', '2000'))).toBe('model name: A\nflags: sse2 avx2');
  expect(processorOf(cpuinfo('sse2 avx2', '3000'))).toBe(processorOf(cpuinfo('sse2 avx2', '2000')));
  expect(processorOf(cpuinfo('sse2', '2000'))).not.toBe(processorOf(cpuinfo('sse2 avx2', '2000')));
});
