// What the governor does with idle models, also while JavaScript is blocked; and what a cache then finds.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { PressureEvent } from '../../src/contract/index.js';
import { MemoryManager } from '../../src/memory/manager.js';
import { onnxruntimeLibrary } from '../../src/models/engine/onnxruntime.js';
import { ModelCache } from '../../src/models/model-cache.js';
import { native } from '../../src/native/load.js';
import { MB, PressureFixture } from '../memory/pressure-fixture.js';
import { chainGraph, ones } from '../support/graphs.js';
import { CPU_PLAN } from '../support/load-plan.js';
import { overNative } from '../support/paths.js';

const { governor, ledger } = native();
const WIDTH = 1448;
const WEIGHTS = WIDTH * WIDTH * 4;
const graph = (seed: number) => chainGraph({ layers: 1, width: WIDTH, distinct: true, seed });
const x = ones(2, WIDTH);
const models = ledger.account('models', 0);

afterEach(() => {
  governor.stop();
  governor.configure(undefined);
});

/** Loads a graph, runs it, lets go; what it gave. */
async function use(cache: ModelCache, source: Uint8Array) {
  using model = await cache.acquire(source);
  return (await model.run({ x })).y?.data;
}

// The governor's thread and the table it evicts from are the addon's.
describe.runIf(overNative)('idle models under pressure', () => {
  it('are evicted while JavaScript is blocked, and loaded again by whoever acquires them next', async () => {
    using fixture = PressureFixture.group(1000 * MB, 100 * MB);
    await using cache = new ModelCache({ device: 'cpu', threads: 1 });
    const first = await use(cache, graph(1));
    await use(cache, graph(2));
    using held = await cache.acquire(graph(3));
    const [oneBytes, all] = [held.bytes, ledger.held(models)];
    expect(all).toBe(3 * oneBytes);
    governor.configure(fixture.plan());
    const events: PressureEvent[] = [];
    governor.start((event) => events.push(event));
    // Another process lowers the limit while this one is blocked.
    const limit = JSON.stringify(fixture.path('cgroup/memory/job/memory.limit_in_bytes'));
    const lowers = `setTimeout(() => { const fs = require('fs'), f = fs.openSync(${limit}, 'r+');
      fs.writeSync(f, '101000000\\n\\n', 0); }, 200)`;
    const lowered = once(spawn(process.execPath, ['-e', lowers], { stdio: 'inherit' }), 'exit');
    const began = Date.now();
    while (Date.now() - began < 10_000 && ledger.held(models) > oneBytes);
    // Nothing of JavaScript has run since: what is idle has gone, what is held has not.
    expect(ledger.held(models)).toBe(oneBytes);
    expect(held.bytes).toBe(oneBytes);
    expect(events).toEqual([]);
    await vi.waitFor(() => expect(events.filter(({ account }) => account === 'models')).not.toHaveLength(0));
    const freed = events.filter(({ kind, account }) => kind === 'freed' && account === 'models');
    expect(freed.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(2 * oneBytes);
    governor.configure(undefined);

    const { evictions, evictedBytes, evictedResidentBytes, bytes } = cache.stats();
    expect({ evictions, evictedBytes, bytes }).toEqual({
      evictions: { room: 0, expired: 0, pressure: 2 },
      evictedBytes: 2 * oneBytes,
      bytes: oneBytes,
    });
    // Weights of that size are mapped by themselves: unmapped, they are not resident any more. A sanitizer keeps what
    // is freed for a while, to tell who still uses it.
    if (!process.env.SPILLWAY_SANITIZER_LIBRARY) expect(evictedResidentBytes).toBeGreaterThan(WEIGHTS);

    const again = await Promise.all(Array.from({ length: 8 }, () => use(cache, graph(1))));
    for (const result of again) expect(result).toEqual(first);
    expect(cache.stats()).toMatchObject({ loads: 4, reloads: 1 });
    expect((await held.run({ x })).y?.data).toHaveLength(2 * WIDTH);
    expect(await lowered).toEqual([0, null]);
  });

  it('go in the order of their last use, of any cache, and no more of them than are wanted', async () => {
    await using one = new ModelCache({ device: 'cpu', threads: 1 });
    await using two = new ModelCache({ device: 'cpu', threads: 1 });
    await use(one, graph(1));
    await use(two, graph(2));
    await use(one, graph(3));
    await use(one, graph(1));
    const each = ledger.held(models) / 3;
    expect(governor.reclaim(WEIGHTS / 2)).toBe(each);
    expect([one.stats(), two.stats()]).toMatchObject([
      { evictions: { pressure: 0 } },
      { evictions: { pressure: 1 }, models: [] },
    ]);
    expect(governor.reclaim(WEIGHTS / 2)).toBe(each);
    expect(one.stats()).toMatchObject({ evictions: { pressure: 1 } });
    const { hits } = one.stats();
    await use(one, graph(1));
    expect(one.stats()).toMatchObject({ hits: hits + 1, reloads: 0 });
    expect(governor.reclaim(10 * WEIGHTS)).toBe(each);
    expect(governor.reclaim(1)).toBe(0);
    expect(ledger.held(models)).toBe(0);
  });

  it('stay while a run that nobody waits for any more still uses them', async () => {
    await using cache = new ModelCache({ device: 'cpu', threads: 1 });
    const model = await cache.acquire(graph(1));
    const run = model.run({ x: ones(2000, WIDTH) });
    model[Symbol.dispose]();
    governor.reclaim(1e9);
    expect(cache.stats()).toMatchObject({ evictions: { pressure: 0 } });
    expect((await run).y?.dims).toEqual([2000, WIDTH]);
    governor.reclaim(1e9);
    expect(cache.stats()).toMatchObject({ evictions: { pressure: 1 }, models: [] });
  });

  it('tell whoever still has the session that it is gone', async () => {
    const { infer } = native();
    infer?.open(onnxruntimeLibrary());
    const session = await infer?.load(graph(2), CPU_PLAN);
    session?.letGo();
    governor.reclaim(10 * WEIGHTS);
    expect(session?.evicted?.bytes).toBeGreaterThanOrEqual(WEIGHTS);
    expect(session?.bytes()).toBe(0);
    expect(session?.hold()).toBe(false);
    expect(await session?.evict()).toBeUndefined();
    const feeds = [{ name: 'x', tensor: x }];
    expect(() => session?.run(1, feeds, ['y'])).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }));
    session?.release();
  });

  it('may be evicted at the moment their worker is terminated', async () => {
    const file = JSON.stringify(new URL('../../dist/models/model-cache.js', import.meta.url).href);
    const source = `import { parentPort, workerData } from 'node:worker_threads';
      import { ModelCache } from ${file};
      const cache = new ModelCache({ device: 'cpu', threads: 2 });
      for (;;) {
        for (const graph of workerData) (await cache.acquire(graph))[Symbol.dispose]();
        parentPort.postMessage('loaded');
      }`;
    const graphs = [4, 5].map((seed) => chainGraph({ layers: 8, width: 128, distinct: true, seed }));
    const runs = Number(process.env.SPILLWAY_LIFECYCLE_RUNS || 12);
    let evicted = 0;
    for (let i = 0; i < runs; i++) {
      const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
        workerData: graphs,
      });
      await once(worker, 'message');
      const ending = worker.terminate();
      evicted += governor.reclaim(1e9) > 0 ? 1 : 0;
      expect(await ending).toBe(1);
    }
    expect(evicted).toBeGreaterThan(0);
    await vi.waitFor(() => expect(ledger.held(models)).toBe(0));
  });
});

it('what a child process holds idle goes when the governor finds nothing else', async () => {
  using memory = new MemoryManager();
  await using cache = new ModelCache({ memory, engine: 'stock', device: 'cpu', threads: 1 });
  const small = [1, 2].map((seed) => chainGraph({ layers: 1, width: 64, distinct: true, seed }));
  for (const source of small) (await cache.acquire(source))[Symbol.dispose]();
  using held = await cache.acquire(small[0] as Uint8Array);
  using fixture = PressureFixture.group(100 * MB, 99 * MB);
  governor.configure(fixture.plan());
  const evictions = { room: 1, expired: 0, pressure: 0 };
  await vi.waitFor(() => expect(cache.stats().evictions).toEqual(evictions), { timeout: 10_000 });
  governor.configure(undefined);
  expect(cache.stats()).toMatchObject({ evictions, models: [{ sha256: held.sha256 }] });
  (await cache.acquire(small[1] as Uint8Array))[Symbol.dispose]();
  expect(cache.stats()).toMatchObject({ loads: 3, reloads: 1 });
});
