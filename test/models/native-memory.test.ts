// What only the native engine offers: exact accounts, refusals that leave no trace, a session's bytes.
import { readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { InferSession } from '../../src/contract/index.js';
import { onnxruntimeLibrary } from '../../src/models/engine/onnxruntime.js';
import { ModelCache } from '../../src/models/model-cache.js';
import { native } from '../../src/native/load.js';
import { chainGraph, ones } from '../support/graphs.js';
import { CPU_PLAN } from '../support/load-plan.js';
import { overNative } from '../support/paths.js';

const LAYERS = 6;
const WIDTH = 128;
const WEIGHTS = LAYERS * WIDTH * WIDTH * 4;
const ROWS = 256;
const ACTIVATION = ROWS * WIDTH * 4;
const plan = { ...CPU_PLAN, threads: 2, concurrency: 2 };
const graph = chainGraph({ layers: LAYERS, width: WIDTH, distinct: true });
const feeds = () => [{ name: 'x', tensor: ones(ROWS, WIDTH) }];

const { ledger } = native();
const accounts = { models: 0, infer: 0 };
const inference = () => {
  const { infer } = native();
  if (!infer) throw new Error('the addon offers no inference');
  return infer;
};
const load = () => inference().load(graph, plan);
const held = () => ({ models: ledger.held(accounts.models), infer: ledger.held(accounts.infer) });
/** Released on another thread: soon, not at once. */
const until = async (condition: () => boolean) => {
  for (let i = 0; i < 500 && !condition(); i++) await sleep(10);
};
const freed = () => until(() => held().models === 0 && held().infer === 0);

describe.runIf(overNative)('memory of the native engine', () => {
  beforeAll(() => {
    inference().open(onnxruntimeLibrary());
    accounts.models = ledger.account('models', 0);
    accounts.infer = ledger.account('infer', 0);
  });
  afterEach(() => {
    ledger.setLimit(accounts.models, Number.POSITIVE_INFINITY);
    ledger.setLimit(accounts.infer, Number.POSITIVE_INFINITY);
  });

  it('charges a graph to `models`, exactly what the session says, until it is released', async () => {
    const session = await load();
    expect(session.bytes()).toBe(held().models);
    expect(session.bytes()).toBeGreaterThanOrEqual(WEIGHTS);
    expect(session.bytes()).toBeLessThan(WEIGHTS * 1.05);
    session.release();
    session.release();
    await freed();
    expect(held()).toEqual({ models: 0, infer: 0 });
    expect(session.bytes()).toBe(0);
  });

  it('charges a run to `infer` and has paid it all back at the end', async () => {
    const session = await load();
    const before = ledger.snapshot()[accounts.infer]?.peak ?? 0;
    await session.run(1, feeds(), ['y']);
    const peak = ledger.snapshot()[accounts.infer]?.peak ?? 0;
    expect(peak).toBeGreaterThanOrEqual(Math.max(before, ACTIVATION));
    expect(held().infer).toBe(0);
    expect(session.bytes()).toBe(held().models);
    session.release();
    await freed();
  });

  it('refuses a load at each of its allocations, keeps nothing, and loads once there is room', async () => {
    const step = WIDTH * WIDTH * 4 + 64;
    let refusals = 0;
    let session: InferSession | undefined;
    for (let limit = 0; !session; limit += step) {
      ledger.setLimit(accounts.models, limit);
      session = await load().catch((error) => {
        expect(error).toMatchObject({
          code: 'ERR_OUT_OF_MEMORY',
          message: expect.stringMatching(/^loading the graph wanted \d+ bytes more, .* of at most \d+$/),
        });
        refusals++;
        expect(held().models).toBe(0);
        return undefined;
      });
    }
    expect(refusals).toBeGreaterThanOrEqual(LAYERS);
    session.release();
    await freed();
  });

  it('refuses a run at each of its allocations, keeps nothing, and runs once there is room', async () => {
    const session = await load();
    let refusals = 0;
    let done = false;
    for (let limit = 0; !done; limit += ACTIVATION / 2) {
      ledger.setLimit(accounts.infer, limit);
      await session.run(1, feeds(), ['y']).then(
        () => {
          done = true;
        },
        (error) => {
          expect(error).toMatchObject({ code: 'ERR_OUT_OF_MEMORY' });
          refusals++;
        },
      );
      expect(held().infer).toBe(0);
    }
    expect(refusals).toBeGreaterThan(2);
    session.release();
    await freed();
  });

  it('passes the refusal on to who called the model, and a smaller batch fits', async () => {
    await using cache = new ModelCache({ engine: 'native', device: 'cpu' });
    using model = await cache.acquire(graph);
    ledger.setLimit(accounts.infer, ACTIVATION);
    await expect(model.run({ x: ones(ROWS, WIDTH) })).rejects.toMatchObject({ code: 'ERR_OUT_OF_MEMORY' });
    expect((await model.run({ x: ones(ROWS / 4, WIDTH) })).y?.dims).toEqual([ROWS / 4, WIDTH]);
  });

  it('keeps the memory of a session that is released while it runs until the run has ended', async () => {
    const session = await load();
    const run = session.run(1, feeds(), ['y']);
    session.release();
    expect(() => session.run(2, feeds(), ['y'])).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }));
    expect((await run)[0]?.dims).toEqual([ROWS, WIDTH]);
    await freed();
    expect(held()).toEqual({ models: 0, infer: 0 });
  });

  it('stops a run by its number', async () => {
    const session = await inference().load(chainGraph({ layers: 300, width: 256 }), plan);
    const long = [{ name: 'x', tensor: ones(512, 256) }];
    const first = session.run(1, long, ['y']);
    const second = session.run(2, long, ['y']);
    session.cancel(1);
    session.cancel(77);
    await expect(first).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    expect(await second).toHaveLength(1);
    session.release();
    await freed();
  });

  it('runs as many at a time as it was told, and the others in their order', async () => {
    const threads = async () => (await readdir('/proc/self/task')).length;
    const session = await inference().load(graph, { ...plan, concurrency: 1 });
    const before = await threads();
    const settled: number[] = [];
    const ids = Array.from({ length: 40 }, (_, i) => i);
    const runs = ids.map((id) => session.run(id, feeds(), ['y']).then(() => settled.push(id)));
    expect(await threads()).toBeLessThanOrEqual(before + 1);
    await Promise.all(runs);
    expect(settled).toEqual(ids);
    session.release();
    await freed();
  });

  it('stops a run that waits its turn at once', async () => {
    const long = chainGraph({ layers: 300, width: 256 });
    const session = await inference().load(long, { ...plan, concurrency: 1 });
    const feed = [{ name: 'x', tensor: ones(512, 256) }];
    let firstIsDone = false;
    const first = session.run(1, feed, ['y']).finally(() => {
      firstIsDone = true;
    });
    const waiting = session.run(2, feed, ['y']);
    session.cancel(2);
    session.cancel(2);
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    expect(firstIsDone).toBe(false);
    expect(await first).toHaveLength(1);
    session.release();
    await freed();
  });

  it('never reads beyond what the caller gave it', async () => {
    const session = await load();
    const short = { type: 'float32' as const, dims: [ROWS, WIDTH], data: new Float32Array(10) };
    const transferred = ones(ROWS, WIDTH);
    structuredClone(transferred.data, { transfer: [transferred.data.buffer] });
    const overflowing = { ...short, dims: [2 ** 40, 2 ** 40] };
    for (const tensor of [short, transferred, overflowing])
      expect(() => session.run(1, [{ name: 'x', tensor }], ['y'])).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' }),
      );
    session.release();
    await freed();
  });

  it('goes on with the library that is open, whatever path is given later', () => {
    expect(inference().open('/no/such/library.so').version).toMatch(/^1\./);
  });
});
