import { describe, expect, it } from 'vitest';
import type { BatchRunner } from '../../src/batch/batch-runner.js';
import { Batcher } from '../../src/batch/batcher.js';
import { fixedBatch } from '../../src/batch/fixed-batch.js';
import type { Tensor } from '../../src/contract/index.js';

const ROWS = 4;
const row = (...values: number[]): Tensor => ({
  type: 'float32',
  dims: [1, values.length],
  data: Float32Array.from(values),
});

/** Negates; like a graph with a fixed batch it takes exactly four rows. */
function strict(outputRows = ROWS) {
  const seen: number[][] = [];
  const runner: BatchRunner = {
    async run({ x }) {
      const { dims, data } = x as Tensor;
      expect(dims).toEqual([ROWS, 2]);
      seen.push([...(data as Float32Array)]);
      const negated = (data as Float32Array).map((value) => -value).subarray(0, outputRows * 2);
      return { y: { type: 'float32', dims: [outputRows, 2], data: negated } };
    },
  };
  return { runner, seen };
}

describe('fixedBatch', () => {
  it('fills up what is missing with zeros, and drops what comes of that', async () => {
    const { runner, seen } = strict();
    const { y } = await fixedBatch(runner, ROWS).run({ x: row(1, 2) }, {});
    expect(seen).toEqual([[1, 2, 0, 0, 0, 0, 0, 0]]);
    expect(y).toEqual({ type: 'float32', dims: [1, 2], data: Float32Array.of(-1, -2) });
  });

  it('gives each of any number of items its own row, through a batcher', async () => {
    const batcher = new Batcher(fixedBatch(strict().runner, ROWS), { maxBatch: ROWS });
    const items = Array.from({ length: 10 }, (_, i) => i + 1);
    const outputs = await Promise.all(items.map((i) => batcher.submit({ x: row(i, i) })));
    expect(outputs.map(({ y }) => (y as Tensor).data[0])).toEqual(items.map((i) => -i));
  });

  it('passes rows one by one on, those that filled up dropped, and how many run at a time', async () => {
    const seen: number[] = [];
    const fixed = fixedBatch(
      {
        device: 'cuda',
        concurrency: 1,
        run: () => Promise.reject(new Error('asked for whole outputs')),
        runRows: async ({ x }, rows) => {
          seen.push(x?.dims[0] as number);
          const data = x?.data as Float32Array;
          return Array.from({ length: rows }, (_, i) => ({
            y: row(-(data[2 * i] ?? 0), -(data[2 * i + 1] ?? 0)),
          }));
        },
      },
      ROWS,
    );
    expect(fixed).toMatchObject({ device: 'cuda', concurrency: 1 });
    const batcher = new Batcher(fixed, { maxBatch: ROWS });
    const items = [1, 2, 3, 4, 5, 6];
    const outputs = await Promise.all(items.map((i) => batcher.submit({ x: row(i, i) })));
    expect(outputs.map(({ y }) => (y as Tensor).data[0])).toEqual(items.map((i) => -i));
    expect(seen).toEqual([ROWS, ROWS]);
    expect(fixedBatch(strict().runner, ROWS).runRows).toBeUndefined();
  });

  it('refuses more rows than there are, and outputs without a row for each', async () => {
    const five: Tensor = { type: 'float32', dims: [5, 2], data: new Float32Array(10) };
    await expect(fixedBatch(strict().runner, ROWS).run({ x: five }, {})).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
    });
    await expect(fixedBatch(strict(1).runner, ROWS).run({ x: row(1, 2) }, {})).rejects.toMatchObject({
      code: 'ERR_MODEL_REJECTED',
      message: expect.stringContaining('[1,2]'),
    });
  });
});
