// The library is one per process: with the stock binding in it, and among worker threads.
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { onnxruntimeLibrary } from '../../src/models/engine/onnxruntime.js';
import { ModelCache } from '../../src/models/model-cache.js';
import { native } from '../../src/native/load.js';
import { chainGraph, ones, twoOutputsGraph } from '../support/graphs.js';
import { overNative } from '../support/paths.js';

describe.runIf(overNative)('one library for the whole process', () => {
  it('works beside the stock binding that came first, and counts only its own', async () => {
    const stock = await InferenceSession.create(chainGraph({ layers: 2, width: 64 }));
    const { ledger } = native();
    const models = ledger.account('models', 0);
    await using cache = new ModelCache({ engine: 'native', device: 'cpu', threads: 2 });
    using model = await cache.acquire(twoOutputsGraph());
    expect(model.engine.reason).toBe(`the addon drives ${onnxruntimeLibrary()}, which was already mapped`);
    expect(model.bytes).toBe(ledger.held(models));

    const { data, dims } = ones(4, 64);
    const two = { type: 'float32' as const, dims: [1, 2], data: Float32Array.of(1, 2) };
    const [ours, theirs] = await Promise.all([
      model.run({ a: two, b: two }),
      stock.run({ x: new Tensor('float32', data, dims) }),
    ]);
    expect(ours.sum?.data).toEqual(Float32Array.of(2, 4));
    expect(theirs.y?.dims).toEqual([4, 64]);
    await stock.release();
    expect(model.bytes).toBe(ledger.held(models));
  });

  it('serves worker threads at the same time, and outlives each', async () => {
    const script = fileURLToPath(new URL('./infer-worker.mjs', import.meta.url));
    const graph = chainGraph({ layers: 20, width: 128 });
    const answers = Array.from({ length: 3 }, () => {
      const worker = new Worker(script, { workerData: graph });
      return new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    });
    expect(new Set(await Promise.all(answers)).size).toBe(1);
    await using cache = new ModelCache({ engine: 'native', device: 'cpu', threads: 1 });
    using model = await cache.acquire(graph);
    const { y } = await model.run({ x: ones(8, 128) });
    expect(y?.data[5]).toBe((await answers[0]) as number);
  });
});
