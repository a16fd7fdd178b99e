import { copyFile, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ModelCache } from '../../src/models/model-cache.js';
import { identityGraph, twoOutputsGraph } from '../support/graphs.js';
import { overNative } from '../support/paths.js';

const longAgo = new Date('2020-01-01');
let folder: string;
let cache: ModelCache;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'spillway-models-'));
  cache = new ModelCache({ device: 'cpu', threads: 1 });
});
afterEach(async () => {
  await cache.close();
  await rm(folder, { recursive: true });
});

const write = async (name: string, bytes: Uint8Array) => {
  const file = path.join(folder, name);
  await writeFile(file, bytes);
  await utimes(file, longAgo, longAgo);
  return file;
};

describe('model cache', () => {
  it('picks the native engine where the addon is loaded, else says why not', async () => {
    using model = await cache.acquire(twoOutputsGraph());
    expect(model.engine.name).toBe(overNative ? 'native' : 'stock');
    if (!overNative) expect(model.engine.reason).toBe('SPILLWAY_NATIVE=off');
  });

  it.skipIf(overNative)('refuses the native engine without the addon', async () => {
    await using asked = new ModelCache({ engine: 'native' });
    await expect(asked.acquire(twoOutputsGraph())).rejects.toMatchObject({ code: 'ERR_NATIVE_UNAVAILABLE' });
  });

  it('loads once for all who acquire at the same time', async () => {
    const file = await write('a.onnx', twoOutputsGraph());
    const models = await Promise.all(Array.from({ length: 8 }, () => cache.acquire(file)));
    expect(cache.stats()).toMatchObject({ loads: 1, hits: 7 });
    expect(cache.stats().models).toMatchObject([{ references: 8, sha256: models[0]?.sha256 }]);
    for (const model of models) model[Symbol.dispose]();
    expect(cache.stats().models).toMatchObject([{ references: 0 }]);
  });

  it('recognises the same content under another path and as bytes', async () => {
    const first = await write('a.onnx', twoOutputsGraph());
    const second = path.join(folder, 'b.onnx');
    await copyFile(first, second);
    using a = await cache.acquire(first);
    using b = await cache.acquire(second);
    using c = await cache.acquire(twoOutputsGraph());
    expect(new Set([a.sha256, b.sha256, c.sha256]).size).toBe(1);
    expect(cache.stats()).toMatchObject({ loads: 1, hits: 2 });
  });

  it('notices that a file has changed', async () => {
    const file = await write('a.onnx', twoOutputsGraph());
    using before = await cache.acquire(file);
    using again = await cache.acquire(file);
    expect(again.sha256).toBe(before.sha256);
    await write('a.onnx', identityGraph('float32'));
    using after = await cache.acquire(file);
    expect(after.inputNames).toEqual(['x']);
    expect(cache.stats()).toMatchObject({ loads: 2, hits: 1 });
  });

  it('keeps idle graphs until cleared, and held ones beyond', async () => {
    const held = await cache.acquire(twoOutputsGraph());
    (await cache.acquire(identityGraph('float32')))[Symbol.dispose]();
    expect(cache.stats().models).toHaveLength(2);
    cache.clear();
    expect(cache.stats().models).toMatchObject([{ sha256: held.sha256 }]);
    held[Symbol.dispose]();
    cache.clear();
    expect(cache.stats().models).toEqual([]);
  });

  it('preloads by role and says what each graph cost', async () => {
    const a = await write('a.onnx', twoOutputsGraph());
    const b = await write('b.onnx', identityGraph('int64'));
    const loaded = await cache.preload([
      { path: a, role: 'primary' },
      { path: b, role: 'secondary' },
    ]);
    expect(loaded).toMatchObject([
      { path: a, role: 'primary', device: 'cpu' },
      { path: b, role: 'secondary', device: 'cpu' },
    ]);
    for (const { ms } of loaded) expect(ms).toBeGreaterThan(0);
    (await cache.acquire(a))[Symbol.dispose]();
    expect(cache.stats()).toMatchObject({ loads: 2, hits: 1 });
  });

  it('tries again after a load that failed', async () => {
    const file = await write('a.onnx', Buffer.from('nonsense'));
    await expect(cache.acquire(file)).rejects.toMatchObject({ code: 'ERR_MODEL_REJECTED' });
    await write('a.onnx', twoOutputsGraph());
    using model = await cache.acquire(file);
    expect(model.inputNames).toEqual(['a', 'b']);
  });

  it("keeps the system's code for a file that cannot be read", async () => {
    await expect(cache.acquire(path.join(folder, 'none.onnx'))).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(cache.acquire(folder)).rejects.toMatchObject({ code: 'ERR_NOT_A_FILE' });
  });

  it('refuses work after close, also on models still held', async () => {
    const model = await cache.acquire(identityGraph('float32'));
    await cache.close();
    await cache.close();
    await expect(cache.acquire(twoOutputsGraph())).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    const x = { type: 'float32' as const, dims: [1, 3], data: new Float32Array(3) };
    await expect(model.run({ x })).rejects.toMatchObject({ code: 'ERR_CLOSED' });
  });

  it('rejects options it does not know', () => {
    expect(() => new ModelCache({ threads: 0 })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' }),
    );
    expect(() => new ModelCache({ device: 'abacus' as 'cpu' })).toThrow(/ModelCache\.device/);
  });
});
