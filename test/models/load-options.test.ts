// What can be said of a load, through both engines where both can do it.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Tensor } from '../../src/contract/index.js';
import { ModelCache } from '../../src/models/model-cache.js';
import { identityGraph, twoOutputsGraph } from '../support/graphs.js';
import { overNative } from '../support/paths.js';

const pair = (rows: number) => {
  const tensor: Tensor = { type: 'float32', dims: [rows, 2], data: new Float32Array(rows * 2).fill(3) };
  return { a: tensor, b: tensor };
};

describe.each(overNative ? (['native', 'stock'] as const) : (['stock'] as const))('loading: %s', (engine) => {
  const cache = new ModelCache({ engine, device: 'cpu', threads: 1 });
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'spillway-load-'));
  });
  afterEach(async () => {
    cache.clear();
    await rm(folder, { recursive: true });
  });
  afterAll(() => cache.close());

  it('makes one session of a graph for each set of options', async () => {
    const file = path.join(folder, 'graph.onnx');
    await writeFile(file, twoOutputsGraph());
    const loads = cache.stats().loads;
    using one = await cache.acquire(file);
    using two = await cache.acquire(file, { threads: 2 });
    using again = await cache.acquire(file, { threads: 2 });
    using asBytes = await cache.acquire(twoOutputsGraph(), { threads: 1 });
    expect(cache.stats().loads - loads).toBe(2);
    expect(cache.stats().models.map(({ references }) => references)).toEqual([2, 2]);
    for (const model of [one, two, again, asBytes])
      expect((await model.run(pair(2))).sum?.data).toEqual(new Float32Array(4).fill(6));
  });

  it('loads on the device that an acquisition names, which makes another session', async () => {
    await using anywhere = new ModelCache({ engine, device: 'auto', threads: 1 });
    using one = await anywhere.acquire(twoOutputsGraph(), { device: 'cpu' });
    using same = await anywhere.acquire(twoOutputsGraph(), { device: 'cpu' });
    expect([one.device, same.device]).toEqual(['cpu', 'cpu']);
    expect(one.rejected).toEqual([]);
    expect(anywhere.stats().loads).toBe(1);
    using auto = await anywhere.acquire(twoOutputsGraph());
    expect(anywhere.stats().loads).toBe(2);
    expect((await auto.run(pair(1))).sum?.data).toEqual(Float32Array.of(6, 6));
    await expect(cache.acquire(twoOutputsGraph(), { device: 'gpu' as never })).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      message: expect.stringContaining('acquire.device'),
    });
  });

  it('makes several sessions of a file that are asked for at the same time', async () => {
    const file = path.join(folder, 'graph.onnx');
    await writeFile(file, twoOutputsGraph());
    const models = await Promise.all([1, 2, 3].map((threads) => cache.acquire(file, { threads })));
    for (const model of models) {
      expect((await model.run(pair(2))).sum?.data).toEqual(new Float32Array(4).fill(6));
      model[Symbol.dispose]();
    }
  });

  it('writes a profile into the folder asked for, and says where', async () => {
    using model = await cache.acquire(twoOutputsGraph(), { profileFolder: folder });
    await model.run(pair(2));
    const file = await model.endProfile();
    expect(await readdir(folder)).toEqual([path.basename(file)]);
    const events = JSON.parse(await readFile(file, 'utf8')) as { args?: { op_name?: string } }[];
    expect(events.map(({ args }) => args?.op_name)).toEqual(expect.arrayContaining(['Add', 'Mul']));
    await expect(model.endProfile()).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      message: 'expected a session with a profile that has not been ended',
    });
    expect((await model.run(pair(1))).product?.data).toEqual(Float32Array.of(9, 9));
  });

  it('ends a profile after the runs in flight', async () => {
    using model = await cache.acquire(twoOutputsGraph(), { profileFolder: folder });
    const runs = Array.from({ length: 8 }, () => model.run(pair(3)));
    const [file] = await Promise.all([model.endProfile(), ...runs]);
    const events = JSON.parse(await readFile(file, 'utf8')) as { name: string }[];
    expect(events.filter(({ name }) => name === 'model_run').length).toBeGreaterThan(0);
  });

  it('ends a profile while runs overlap without a pause', async () => {
    using model = await cache.acquire(twoOutputsGraph(), { profileFolder: folder, concurrency: 2 });
    let ended = false;
    const stream = async () => {
      while (!ended) await model.run(pair(64));
    };
    const streams = [stream(), stream(), stream()];
    await model.endProfile();
    ended = true;
    await Promise.all(streams);
  });

  it('has no profile that nobody asked for, and none in a folder that is not there', async () => {
    using model = await cache.acquire(twoOutputsGraph());
    await expect(model.endProfile()).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' });
    const missing = path.join(folder, 'missing');
    await expect(cache.acquire(twoOutputsGraph(), { profileFolder: missing })).rejects.toMatchObject({
      code: 'ENOENT',
    });
  });

  it.runIf(engine === 'native')('fixes free dimensions', async () => {
    using model = await cache.acquire(twoOutputsGraph(), { freeDimensions: { n: 4 } });
    expect(model.inputMetadata[0]?.dims).toEqual([4, 2]);
    expect((await model.run(pair(4))).sum?.dims).toEqual([4, 2]);
    await expect(model.run(pair(5))).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' });
    using free = await cache.acquire(twoOutputsGraph());
    expect((await free.run(pair(5))).sum?.dims).toEqual([5, 2]);
  });

  it.runIf(engine === 'native')('runs a session on as many threads as it was given', async () => {
    const threads = async () => (await readdir('/proc/self/task')).length;
    const before = await threads();
    using _ = await cache.acquire(twoOutputsGraph(), { threads: 4 });
    expect(await threads()).toBeGreaterThanOrEqual(before + 3);
  });

  it.runIf(engine === 'stock')('says where only the native engine can do what is asked', async () => {
    await expect(cache.acquire(twoOutputsGraph(), { freeDimensions: { n: 4 } })).rejects.toMatchObject({
      code: 'ERR_NATIVE_UNAVAILABLE',
      message: 'freeDimensions needs the native engine, but the stock one serves: asked for',
    });
  });

  it.each([
    [twoOutputsGraph(), { m: 4 }, 'expected dimensions named \'n\' for freeDimensions but received "m"'],
    [identityGraph('int8'), { '': 4 }, 'expected dimensions named \'n\' for freeDimensions but received ""'],
  ])(
    'refuses a size for a dimension that the graph does not have',
    async (graph, freeDimensions, message) => {
      await expect(cache.acquire(graph, { freeDimensions })).rejects.toMatchObject({
        code: 'ERR_INVALID_ARGUMENT',
        message,
      });
    },
  );

  it.each([
    [{ threads: 0 }, /^expected >=1 for acquire\.threads/],
    [{ freeDimensions: { n: 1.5 } }, /acquire\.freeDimensions\.n/],
    [{ profileFolder: '' }, /acquire\.profileFolder/],
    [{ arena: true }, /acquire\.arena/],
  ])('refuses %j', async (options, message) => {
    await expect(cache.acquire(twoOutputsGraph(), options as { threads: number })).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      message: expect.stringMatching(message),
    });
  });
});
