// A real WebGPU device that is lost, or has no memory, in mid-run.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Batcher } from '../../src/batch/batcher.js';
import type { Tensor } from '../../src/contract/index.js';
import { ModelCache } from '../../src/models/model-cache.js';
import { forgetTrial } from '../../src/models/probe-device.js';
import { native } from '../../src/native/load.js';
import { codeOf } from '../../src/util/errors.js';
import { chainGraph, twiceGraph } from '../support/graphs.js';
import { fail, failNothing } from './support.js';

const WIDTH = 64;
/** Large enough for memory of its own in the driver. */
const ROWS = 20_480;

let folder: string;
let file: string;
let cache: ModelCache;
let expected: Tensor;
let expectedOfFew: Tensor;
const x: Tensor = {
  type: 'float32',
  dims: [ROWS, WIDTH],
  data: Float32Array.from({ length: ROWS * WIDTH }, (_, i) => (i % 37) / 37),
};
const few: Tensor = {
  type: 'float32',
  dims: [256, WIDTH],
  data: (x.data as Float32Array).slice(0, 256 * WIDTH),
};

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'spillway-webgpu-'));
  file = path.join(folder, 'chain.onnx');
  writeFileSync(file, chainGraph({ layers: 3, width: WIDTH, distinct: true }));
  await using cpu = new ModelCache({ device: 'cpu' });
  using model = await cpu.acquire(file);
  expected = (await model.run({ x })).y as Tensor;
  expectedOfFew = (await model.run({ x: few })).y as Tensor;
});
afterAll(() => rmSync(folder, { recursive: true }));
/** Once its sessions are freed, and with them the device: the next one begins without anything of it. */
async function closed(): Promise<void> {
  await cache.close();
  const models = () =>
    native()
      .ledger.snapshot()
      .find(({ name }) => name === 'models')?.bytes;
  await expect.poll(models, { timeout: 20_000 }).toBe(0);
}
afterEach(closed);

/** Throws where it is not right. */
function expectRight({ y }: Record<string, Tensor>, of = expected): void {
  const [is, should] = [y?.data as Float32Array, of.data as Float32Array];
  expect(is.length).toBe(should.length);
  const apart = should.reduce((most, value, i) => Math.max(most, Math.abs(value - (is[i] ?? Number.NaN))), 0);
  expect(apart).toBeLessThan(1e-4);
}

describe('a run whose device is lost', () => {
  it('takes all sessions with it, which begin anew too', async () => {
    cache = new ModelCache({ device: 'webgpu' });
    await using other = new ModelCache({ device: 'webgpu' });
    using first = await cache.acquire(file);
    using second = await other.acquire(file, { threads: 1 });
    fail('vkQueueSubmit', '1+');
    await expect(first.run({ x })).rejects.toMatchObject({ code: 'ERR_DEVICE_LOST' });
    failNothing();
    expect(other.stats().models).toEqual([]);
    const outputs = await Promise.all([first.run({ x }), second.run({ x }), second.run({ x })]);
    for (const output of outputs) expectRight(output);
    expect(cache.stats()).toMatchObject({ loads: 2, models: [{ device: 'webgpu', references: 1 }] });
  });

  it('does not run what is aborted while it begins anew', async () => {
    cache = new ModelCache({ device: 'webgpu' });
    using model = await cache.acquire(file);
    fail('vkQueueSubmit', '1+');
    await expect(model.run({ x: few })).rejects.toMatchObject({ code: 'ERR_DEVICE_LOST' });
    failNothing();
    const abort = new AbortController();
    const aborted = model.run({ x: few }, { signal: abort.signal });
    const other = model.run({ x: few });
    abort.abort(new Error('enough'));
    await expect(aborted).rejects.toThrow('enough');
    expectRight(await other, expectedOfFew);
    const late = model.run({ x: few });
    model[Symbol.dispose]();
    expectRight(await late, expectedOfFew);
  });

  it('stays lost where the device does', async () => {
    cache = new ModelCache({ device: 'webgpu' });
    using model = await cache.acquire(file);
    fail('vkQueueSubmit', '1+');
    for (let run = 0; run < 3; run++)
      await expect(model.run({ x })).rejects.toMatchObject({ code: 'ERR_DEVICE_LOST' });
    failNothing();
    expectRight(await model.run({ x }));
  });

  it('begins anew in the child process of the stock engine too', async () => {
    fail('vkQueueSubmit', '20'); // as the child finds it when it starts; its first runs come before
    cache = new ModelCache({ engine: 'stock', device: 'webgpu' });
    using model = await cache.acquire(file);
    failNothing();
    let lost: unknown;
    for (let runs = 0; runs < 20 && !lost; runs++)
      lost = await model.run({ x: few }).then(
        () => undefined,
        (reason: unknown) => reason,
      );
    expect(codeOf(lost)).toBe('ERR_DEVICE_LOST');
    expectRight(await model.run({ x }));
    expect(cache.stats()).toMatchObject({ loads: 2, engine: { name: 'stock' } });
  });

  it('cannot begin anew by itself where the graph came as bytes', async () => {
    cache = new ModelCache({ device: 'webgpu' });
    const graph = chainGraph({ layers: 3, width: WIDTH, distinct: true });
    using model = await cache.acquire(graph);
    fail('vkQueueSubmit', '1+');
    await expect(model.run({ x })).rejects.toMatchObject({ code: 'ERR_DEVICE_LOST' });
    failNothing();
    await expect(model.run({ x })).rejects.toMatchObject({
      code: 'ERR_DEVICE_LOST',
      message: 'webgpu failed, and the graph, which came as bytes, has to be acquired again',
    });
    using again = await cache.acquire(graph);
    expectRight(await again.run({ x }));
  });

  it('does not go on with another graph that has taken the place of the file', async () => {
    cache = new ModelCache({ device: 'webgpu' });
    const changing = path.join(folder, 'changing.onnx');
    writeFileSync(changing, chainGraph({ layers: 1, width: WIDTH }));
    using model = await cache.acquire(changing);
    fail('vkQueueSubmit', '1+');
    await expect(model.run({ x })).rejects.toMatchObject({ code: 'ERR_DEVICE_LOST' });
    failNothing();
    writeFileSync(changing, chainGraph({ layers: 2, width: WIDTH }));
    await expect(model.run({ x })).rejects.toMatchObject({ code: 'ERR_FILE_CHANGED' });
    expect(cache.stats().models.every(({ references }) => references === 0)).toBe(true);
  });
});

describe('a run whose device has no memory', () => {
  it('is split by a batcher until the device has room', async () => {
    cache = new ModelCache({ device: 'webgpu' });
    const width = 98_304;
    const twice = path.join(folder, 'twice.onnx');
    writeFileSync(twice, twiceGraph(width));
    using model = await cache.acquire(twice);
    const batcher = new Batcher(model, { minBatch: 64, maxBatch: 64 });
    fail('vkAllocateMemory', '20000000B'); // ONNX Runtime takes 26 MB for 64 items, and 12.6 MB for 32
    const items = Array.from({ length: 128 }, (_, i) =>
      batcher.submit({ x: { type: 'float32', dims: [1, width], data: new Float32Array(width).fill(i) } }),
    );
    const said = (await Promise.all(items)).map(({ y }) => (y as Tensor).data[width - 1]);
    expect(said).toEqual(Array.from({ length: 128 }, (_, i) => 2 * i));
    expect(batcher.stats()).toMatchObject({ retired: false, rescued: 0 });
    expect(batcher.stats().splits).toBeGreaterThan(0);
  });

  it('never gives a wrong result, says what it lacked, and leaves nothing behind that later runs meet', async () => {
    const told: (string | undefined)[] = [];
    for (let call = 1; ; call++) {
      cache = new ModelCache({ device: 'webgpu' });
      using model = await cache.acquire(file);
      fail('vkAllocateMemory', String(call));
      const outcome = await model.run({ x }).catch((reason: unknown) => reason);
      failNothing();
      expectRight(await model.run({ x }));
      await cache.close();
      const code = codeOf(outcome);
      if (!code) expectRight(outcome as Record<string, Tensor>);
      told.push(code);
      if (told.slice(-3).every((each) => each === undefined) && told.length > 6) break;
    }
    const failures = told.filter((code) => code !== undefined);
    expect(failures.length).toBeGreaterThan(3);
    // Dawn gives up the device where the memory of its own is short.
    for (const code of failures) expect(['ERR_OUT_OF_MEMORY', 'ERR_DEVICE_LOST']).toContain(code);
    expect(failures.filter((code) => code === 'ERR_OUT_OF_MEMORY').length).toBeGreaterThan(2);
  });
});

describe('a load whose device has no memory', () => {
  const wide = () => chainGraph({ layers: 2, width: 1536, distinct: true });

  it('says so, and others go on', async () => {
    cache = new ModelCache({ device: 'webgpu' });
    using other = await cache.acquire(file);
    fail('vkAllocateMemory', '1+');
    await expect(cache.acquire(wide())).rejects.toMatchObject({
      code: 'ERR_OUT_OF_MEMORY',
      message: expect.stringContaining('VK_ERROR_OUT_OF_DEVICE_MEMORY'),
    });
    failNothing();
    expectRight(await other.run({ x: few }), expectedOfFew);
    using model = await cache.acquire(wide());
    expect(model.device).toBe('webgpu');
  });

  it('goes on to the CPU where no device was asked for', async () => {
    process.env.FAILING_VULKAN_KIND = '2'; // a GPU: auto takes no other
    forgetTrial('webgpu');
    try {
      cache = new ModelCache();
      using small = await cache.acquire(file);
      fail('vkAllocateMemory', '1+');
      using model = await cache.acquire(wide());
      expect([small.device, model.device]).toEqual(['webgpu', 'cpu']);
      expect(model.rejected.at(-1)).toMatchObject({
        device: 'webgpu',
        reason: expect.stringContaining('VK_ERROR_OUT_OF_DEVICE_MEMORY'),
      });
    } finally {
      delete process.env.FAILING_VULKAN_KIND;
    }
  });
});

/** What each call says when it fails, where it is not that the device is lost. */
const TOLD: Readonly<Record<string, string>> = {
  vkAllocateMemory: 'ERR_OUT_OF_MEMORY',
  vkCreateBuffer: 'ERR_OUT_OF_MEMORY',
  // A node that has no code: ONNX Runtime does not tell why.
  vkCreateShaderModule: 'ERR_ENGINE',
  vkCreateComputePipelines: 'ERR_ENGINE',
};

describe.each([
  ...['vkAllocateMemory', 'vkBindBufferMemory', 'vkCreateBuffer', 'vkMapMemory', 'vkCreateShaderModule'],
  ...['vkCreateComputePipelines', 'vkCreateDescriptorPool', 'vkAllocateDescriptorSets'],
  ...['vkCreateCommandPool', 'vkAllocateCommandBuffers', 'vkBeginCommandBuffer', 'vkEndCommandBuffer'],
  ...['vkCreateFence', 'vkQueueSubmit', 'vkWaitForFences', 'vkGetFenceStatus'],
])('where %s fails', (call) => {
  it('the first run says so, or is right where it did without, and the next is right', async () => {
    const told: (string | undefined)[] = [];
    for (const which of ['1', '2', '1+']) {
      cache = new ModelCache({ device: 'webgpu' });
      using model = await cache.acquire(file);
      fail(call, which);
      const outcome = await model.run({ x: few }).catch((reason: unknown) => reason);
      failNothing();
      if (!codeOf(outcome)) expectRight(outcome as Record<string, Tensor>, expectedOfFew);
      expectRight(await model.run({ x: few }), expectedOfFew);
      told.push(codeOf(outcome));
      await closed();
    }
    const codes = new Set(told.filter((code) => code !== undefined));
    expect([...codes]).toEqual([TOLD[call] ?? 'ERR_DEVICE_LOST']);
  });
});
