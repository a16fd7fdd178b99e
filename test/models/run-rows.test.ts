// A batch whose outputs come item by item.
import { afterAll, describe, expect, it } from 'vitest';
import { mlp } from '../../scripts/make-model/test-graphs.mjs';
import type { BatchRunner } from '../../src/batch/batch-runner.js';
import { Batcher } from '../../src/batch/batcher.js';
import type { Tensor } from '../../src/contract/index.js';
import { ModelCache } from '../../src/models/model-cache.js';
import { overNative } from '../support/paths.js';

const WIDTH = 8;
const models = new ModelCache({ device: 'cpu', threads: 1 });
afterAll(() => models.close());
const batch = (rows: number): { x: Tensor } => ({
  x: {
    type: 'float32',
    dims: [rows, WIDTH],
    data: Float32Array.from({ length: rows * WIDTH }, (_, i) => ((i * 37) % 19) / 19 - 0.5),
  },
});

// Only the addon sees outputs where they were computed.
describe.runIf(overNative)('rows', () => {
  it('are those of the whole outputs, each in memory of its own', async () => {
    using model = await models.acquire(mlp({ width: WIDTH }));
    const whole = (await model.run(batch(5))).y as Tensor;
    const rows = (await model.runRows?.(batch(5), 5)) ?? [];
    expect(rows).toHaveLength(5);
    const per = whole.data.length / 5;
    for (const [i, { y }] of rows.entries()) {
      const { type, dims, data } = y as Tensor;
      expect({ type, dims }).toEqual({ type: whole.type, dims: [1, ...whole.dims.slice(1)] });
      expect(data).toEqual((whole.data as Float32Array).slice(i * per, (i + 1) * per));
      expect((data as Float32Array).buffer.byteLength).toBe(4 * per);
    }
  });

  it('are refused where an output has another number of them, and where it is none', async () => {
    using model = await models.acquire(mlp({ width: WIDTH }));
    await expect(model.runRows?.(batch(5), 4)).rejects.toMatchObject({
      code: 'ERR_MODEL_REJECTED',
      message: expect.stringContaining('one row per item (4) but its shape is [5,'),
    });
    await expect(model.runRows?.(batch(5), 0)).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' });
  });

  it('are what a batcher asks for where items have one shape', async () => {
    using model = await models.acquire(mlp({ width: WIDTH }));
    const asked: number[] = [];
    const runner: BatchRunner = {
      run: () => Promise.reject(new Error('asked for whole outputs')),
      runRows: async (feeds, rows, options) => {
        asked.push(rows);
        return (await model.runRows?.(feeds, rows, options)) ?? [];
      },
    };
    const batcher = new Batcher(runner, { maxBatch: 4 });
    const items = Array.from({ length: 6 }, () => batch(1));
    const outputs = await Promise.all(items.map((item) => batcher.submit(item)));
    expect(asked).toEqual([4, 2]);
    const { dims, data } = (await model.run(batch(1))).y as Tensor;
    expect(outputs[5]?.y?.dims).toEqual(dims);
    expect(outputs[5]?.y?.data[0]).toBeCloseTo(data[0] as number, 5);
  });
});

// What serves where the addon does not.
describe.runIf(!overNative)('an engine in a child process', () => {
  it('has whole outputs only', async () => {
    using model = await models.acquire(mlp({ width: WIDTH }));
    expect(model.runRows).toBeUndefined();
    expect(model.concurrency).toBeUndefined();
  });
});
