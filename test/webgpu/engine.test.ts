// Graphs on a real WebGPU device, through both engines.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Tensor } from '../../src/contract/index.js';
import { detectDevice } from '../../src/models/detect.js';
import { ModelCache } from '../../src/models/model-cache.js';
import { forgetTrial } from '../../src/models/probe-device.js';
import { native } from '../../src/native/load.js';
import { chainGraph, meanColourGraph } from '../support/graphs.js';

const WIDTH = 256;
const chain = chainGraph({ layers: 6, width: WIDTH, distinct: true });
const rows = (count: number, of = WIDTH): Tensor => ({
  type: 'float32',
  dims: [count, of],
  data: Float32Array.from({ length: count * of }, (_, i) => ((i * 37) % 101) / 101),
});

/** The largest difference, as a share of the largest figure. */
function apart(actual: Tensor | undefined, expected: Tensor | undefined): number {
  const [a, e] = [actual?.data as Float32Array, expected?.data as Float32Array];
  expect(actual?.dims).toEqual(expected?.dims);
  const largest = e.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return e.reduce((most, value, i) => Math.max(most, Math.abs(value - (a[i] ?? Number.NaN))), 0) / largest;
}

let cpu: ModelCache;
beforeAll(() => {
  cpu = new ModelCache({ device: 'cpu' });
});
afterAll(() => cpu.close());

describe('auto', () => {
  const acquired = async () => {
    await using cache = new ModelCache();
    using model = await cache.acquire(chain);
    return { device: model.device, rejected: model.rejected.map(({ device, reason }) => [device, reason]) };
  };

  it('takes no WebGPU that computes on the CPU', async () => {
    expect(detectDevice().device).toBe('webgpu');
    const { device, rejected } = await acquired();
    expect(device).toBe('cpu');
    expect(rejected).toEqual([
      ['cuda', expect.any(String)],
      [
        'webgpu',
        expect.stringMatching(/^webgpu would only compute on the CPU, as SwiftShader.*: it serves where/),
      ],
    ]);
  });

  it('takes one that a GPU stands behind', async () => {
    process.env.FAILING_VULKAN_KIND = '2'; // discrete
    forgetTrial('webgpu');
    const { device, rejected } = await acquired();
    delete process.env.FAILING_VULKAN_KIND;
    expect(device).toBe('webgpu');
    expect(rejected).toEqual([['cuda', expect.any(String)]]);
  });
});

describe.each(['native', 'stock'] as const)('the %s engine on WebGPU', (engine) => {
  let cache: ModelCache;
  beforeAll(() => {
    cache = new ModelCache({ engine, device: 'webgpu' });
  });
  afterAll(() => cache.close());

  it.each([1, 7, 64])('gives what the CPU gives, for %i rows', async (count) => {
    using model = await cache.acquire(chain);
    using twin = await cpu.acquire(chain);
    expect(model).toMatchObject({ device: 'webgpu', rejected: [], engine: { name: engine } });
    const [ours, theirs] = await Promise.all([model.run({ x: rows(count) }), twin.run({ x: rows(count) })]);
    expect(apart(ours.y, theirs.y)).toBeLessThan(1e-4);
  });

  it('leaves the event loop alone while it computes', async () => {
    using model = await cache.acquire(chain);
    let turns = 0;
    let running = true;
    const turn = () => {
      turns++;
      if (running) setTimeout(turn);
    };
    turn();
    await model.run({ x: rows(2048) });
    running = false;
    expect(turns).toBeGreaterThan(5);
  });

  it('serves runs that overlap, each with its own result', async () => {
    using model = await cache.acquire(chain, { threads: 1 });
    expect(model.concurrency).toBe(engine === 'native' ? 2 : undefined);
    const counts = Array.from({ length: 12 }, (_, i) => i + 1);
    const outputs = await Promise.all(counts.map((count) => model.run({ x: rows(count) })));
    expect(outputs.map(({ y }) => y?.dims[0])).toEqual(counts);
    for (const { y } of outputs) expect(y?.data[0]).toBeCloseTo(outputs[0]?.y?.data[0] as number, 4);
  });

  it('drops a run that is aborted while it waits, and goes on with the others', async () => {
    using model = await cache.acquire(chain);
    const abort = new AbortController();
    const others = Array.from({ length: 3 }, () => model.run({ x: rows(512) }));
    const run = model.run({ x: rows(512) }, { signal: abort.signal });
    abort.abort(new Error('enough'));
    await expect(run).rejects.toThrow('enough');
    for (const { y } of await Promise.all(others)) expect(y?.dims).toEqual([512, WIDTH]);
  });

  it('loads several graphs on one device, and evicts them', async () => {
    const graphs = [chain, meanColourGraph({ dims: ['n', 3, 16, 16] }), chainGraph({ layers: 1, width: 8 })];
    const models = await Promise.all(graphs.map((graph) => cache.acquire(graph)));
    expect(models.map(({ device }) => device)).toEqual(['webgpu', 'webgpu', 'webgpu']);
    for (const model of models) model[Symbol.dispose]();
    await cache.evict();
    expect(cache.stats()).toMatchObject({ bytes: 0, models: [] });
  });
});

it('serves a graph that is not trusted, in a process of its own', async () => {
  await using cache = new ModelCache({ device: 'webgpu' });
  using model = await cache.acquire(chain, { trust: 'untrusted' });
  using twin = await cpu.acquire(chain);
  expect(model).toMatchObject({ device: 'webgpu', engine: { name: 'stock' } });
  const [ours, theirs] = [await model.run({ x: rows(3) }), await twin.run({ x: rows(3) })];
  expect(apart(ours.y, theirs.y)).toBeLessThan(1e-4);
});

it('leaves nothing in the ledger once it is closed', async () => {
  const held = () =>
    native()
      .ledger.snapshot()
      .map(({ name, bytes }) => ({ name, bytes }));
  const before = held();
  const cache = new ModelCache({ device: 'webgpu' });
  using model = await cache.acquire(chain);
  await model.run({ x: rows(64) });
  await cache.close();
  await expect.poll(held).toEqual(before); // sessions are freed on a thread of their own
});
