// Graphs that are not trusted: a process for each, with limits, and with nothing of ours.
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeModel } from '../../scripts/make-model/encoder.mjs';
import { ModelCache } from '../../src/models/model-cache.js';
import { chainGraph, identityGraph, ones, twoOutputsGraph } from '../support/graphs.js';
import { childrenOf } from '../support/stock-children.js';

/** Zeros in as many elements as it is told: few bytes in, any number out. */
const bombGraph = () =>
  encodeModel({
    name: 'bomb',
    inputs: [{ name: 'shape', type: 'int64', dims: [1] }],
    outputs: [{ name: 'y', type: 'float32', dims: ['n'] }],
    nodes: [{ op: 'ConstantOfShape', inputs: ['shape'], outputs: ['y'] }],
    constants: {},
  });
const shape = (elements: bigint) => ({
  shape: { type: 'int64' as const, dims: [1], data: BigInt64Array.of(elements) },
});
const x = { type: 'int8' as const, dims: [1, 3], data: Int8Array.of(1, 2, 3) };

/** Killed at once, and gone soon. */
async function childrenGone(): Promise<void> {
  for (let i = 0; i < 200 && (await childrenOf(process.pid)).length > 0; i++) await sleep(10);
  expect(await childrenOf(process.pid)).toEqual([]);
}

describe('a graph that is not trusted', () => {
  let cache: ModelCache;
  beforeEach(() => {
    cache = new ModelCache({ device: 'cpu', threads: 1, trust: 'untrusted' });
  });
  afterEach(() => cache.close());

  it('runs in a process of its own, whatever engine serves the others', async () => {
    using first = await cache.acquire(identityGraph('int8'));
    using _ = await cache.acquire(twoOutputsGraph());
    expect(first.engine).toEqual({
      name: 'stock',
      version: expect.stringMatching(/^1\./),
      reason: 'the graph is not trusted: it runs in a process of its own, within limits',
    });
    expect((await first.run({ x })).y?.data).toEqual(x.data);
    expect(await childrenOf(process.pid)).toHaveLength(2);
    expect(cache.stats().childRssBytes).toBeGreaterThan(40e6);
    using trusted = await cache.acquire(identityGraph('int8'), { trust: 'trusted' });
    expect(trusted.engine.reason).not.toBe(first.engine.reason);
  });

  it('takes its process with it when it is released', async () => {
    const model = await cache.acquire(identityGraph('int8'));
    const running = model.run({ x });
    model[Symbol.dispose]();
    cache.clear();
    expect((await running).y?.data).toEqual(x.data);
    await childrenGone();
    expect(cache.stats().peakChildRssBytes).toBeGreaterThan(20e6);
  });

  it('sees no environment but where libraries are', async () => {
    process.env.SPILLWAY_TEST_SECRET = 'of the parent';
    try {
      using _ = await cache.acquire(identityGraph('int8'));
      const [child] = await childrenOf(process.pid);
      const names = (await readFile(`/proc/${child}/environ`, 'utf8'))
        .split('\0')
        .map((v) => v.split('=')[0]);
      expect(names).toContain('NODE_CHANNEL_FD');
      expect(names).not.toContain('SPILLWAY_TEST_SECRET');
      expect(names).not.toContain('HOME');
    } finally {
      delete process.env.SPILLWAY_TEST_SECRET;
    }
  });

  it('gets no more memory than its limit, and goes on below it', async () => {
    using model = await cache.acquire(bombGraph(), { untrustedMemory: '512MiB' });
    const [child] = await childrenOf(process.pid);
    const limits = await readFile(`/proc/${child}/limits`, 'utf8');
    expect(limits).toMatch(new RegExp(`^Max data size +${512 * 2 ** 20} +${512 * 2 ** 20} +bytes`, 'm'));
    expect(limits).toMatch(/^Max core file size +0 +0 /m);
    await expect(model.run(shape(300_000_000n))).rejects.toMatchObject({ code: 'ERR_OUT_OF_MEMORY' });
    expect((await model.run(shape(1000n))).y?.dims).toEqual([1000]);
  });

  it('is refused where even its process does not fit the limit', async () => {
    await expect(cache.acquire(bombGraph(), { untrustedMemory: '8MB' })).rejects.toMatchObject({
      code: 'ERR_ENGINE',
      message: expect.stringMatching(/^the child process that runs the model ended with/),
    });
    await childrenGone();
  });

  it('is ended where a run takes more processor time than its limit', async () => {
    using model = await cache.acquire(chainGraph({ layers: 1000, width: 384 }), { untrustedCpuTime: '1s' });
    const failure = {
      code: 'ERR_MODEL_REJECTED',
      message:
        'the child process that runs the model used more than 1000 ms of processor time for one request',
    };
    expect((await model.run({ x: ones(1, 384) })).y?.dims).toEqual([1, 384]);
    // 2.4 · 10¹² operations: some seconds of any core, of which it gets one.
    await expect(model.run({ x: ones(8000, 384) })).rejects.toMatchObject(failure);
    await expect(model.run({ x: ones(1, 384) })).rejects.toMatchObject(failure);
    await childrenGone();
  });

  it.each([
    [{ untrustedMemory: 'much' }, /^expected a size such as .* for untrustedMemory/],
    [{ untrustedCpuTime: 'long' }, /^expected a duration such as .* for untrustedCpuTime/],
    [{ trust: 'blind' as 'trusted' }, /acquire\.trust/],
  ])('has limits that can be read: %j', async (options, message) => {
    await expect(cache.acquire(bombGraph(), options)).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      message: expect.stringMatching(message),
    });
  });
});
