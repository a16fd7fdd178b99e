// The batcher over real graphs and a real allocator.
import { afterAll, describe, expect, it } from 'vitest';
import { convolutions, mlp, uniform } from '../../scripts/make-model/test-graphs.mjs';
import { Batcher } from '../../src/batch/batcher.js';
import type { Tensor } from '../../src/contract/index.js';
import type { Model } from '../../src/models/model.js';
import { ModelCache } from '../../src/models/model-cache.js';
import { native } from '../../src/native/load.js';
import { overNative } from '../support/paths.js';

const models = new ModelCache({ device: 'cpu', threads: 1 });
afterAll(() => models.close());

const WIDTH = 64;
const rows = (count: number): { x: Tensor }[] => {
  const random = uniform(11);
  return Array.from({ length: count }, () => ({
    x: {
      type: 'float32',
      dims: [1, WIDTH],
      data: Float32Array.from({ length: WIDTH }, () => random() - 0.5),
    },
  }));
};
const floats = (tensor: Tensor | undefined) => Array.from((tensor as Tensor).data as Float32Array);

async function expectSame(model: Model, items: readonly { x: Tensor }[], outputs: readonly object[]) {
  for (const [i, item] of items.entries()) {
    const alone = floats((await model.run(item)).y);
    for (const [k, value] of floats((outputs[i] as { y: Tensor }).y).entries())
      expect(value).toBeCloseTo(alone[k] ?? Number.NaN, 4);
  }
}

describe('a batcher over a graph', () => {
  it('says of each item what the graph says of it alone, with two runs at once', async () => {
    using model = await models.acquire(mlp({ width: WIDTH }));
    const batcher = new Batcher(model, { concurrency: 2, maxBatch: 16 });
    const items = rows(50);
    const outputs = await Promise.all(items.map((item) => batcher.submit(item)));
    await expectSame(model, items, outputs);
    expect(batcher.stats()).toMatchObject({ items: 50, waiting: 0, running: 0, retired: false });
  });

  it('fails a wrong item with the error of the model, and none of another shape with it', async () => {
    using model = await models.acquire(mlp({ width: WIDTH }));
    const batcher = new Batcher(model);
    const narrow: Tensor = { type: 'float32', dims: [1, 3], data: new Float32Array(3) };
    const [wrong, right] = await Promise.allSettled([
      batcher.submit({ x: narrow }),
      ...rows(1).map((item) => batcher.submit(item)),
    ]);
    expect(wrong).toMatchObject({ reason: { code: 'ERR_INVALID_ARGUMENT' } });
    expect(right?.status).toBe('fulfilled');
  });
});

const SIDE = 24;
const pictures = (count: number): { x: Tensor }[] => {
  const random = uniform(12);
  const length = 3 * SIDE * SIDE;
  return Array.from({ length: count }, () => ({
    x: {
      type: 'float32',
      dims: [1, 3, SIDE, SIDE],
      data: Float32Array.from({ length }, () => random() - 0.5),
    },
  }));
};

describe.runIf(overNative)('the allocator of the engine', () => {
  const { ledger } = native();
  const account = ledger.account('infer', 0);

  it('tells what a batch takes', async () => {
    using model = await models.acquire(convolutions({ layers: 2, channels: 8, side: SIDE }));
    const items = pictures(64);
    const batcher = new Batcher(model, { memoryShare: 0.5, maxBatch: 32, cleanup: 'never' });
    await Promise.all(items.map((item) => batcher.submit(item)));
    const { fit } = batcher.stats();
    // The output of the first convolution, and of its Relu: more than the mere input.
    expect(fit?.bytesPerUnit).toBeGreaterThan(8 * SIDE * SIDE * 4);
  });

  it('refuses, and every item comes through in order, without a leak', async () => {
    using model = await models.acquire(convolutions({ layers: 2, channels: 8, side: SIDE, seed: 2 }));
    const items = pictures(48);
    await model.run(items[0] as { x: Tensor });
    const idle = ledger.held(account);
    const need = 2 * 8 * SIDE * SIDE * 4;
    ledger.setLimit(account, idle + 6 * need);
    try {
      const batcher = new Batcher(model, { minBatch: 16, maxBatch: 16, cleanup: 'never' });
      const order: number[] = [];
      const outputs = await Promise.all(
        items.map(async (item, i) => {
          const output = await batcher.submit(item);
          order.push(i);
          return output;
        }),
      );
      expect(order).toEqual(items.map((_, i) => i));
      expect(batcher.stats().splits).toBeGreaterThan(0);
      expect(batcher.stats().splits).toBeLessThan(4);
      expect(batcher.stats().largest).toBeLessThan(16);
      expect(ledger.held(account)).toBe(idle);
      ledger.setLimit(account, Number.POSITIVE_INFINITY);
      await expectSame(model, items.slice(0, 8), outputs);
    } finally {
      ledger.setLimit(account, Number.POSITIVE_INFINITY);
    }
  });
});
