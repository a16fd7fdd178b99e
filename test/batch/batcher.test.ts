import { describe, expect, it } from 'vitest';
import type { BatchRunner } from '../../src/batch/batch-runner.js';
import { Batcher } from '../../src/batch/batcher.js';
import type { Tensor } from '../../src/contract/index.js';
import { SpillwayError } from '../../src/util/errors.js';

const row = (...values: number[]): Tensor => ({
  type: 'float32',
  dims: [1, values.length],
  data: Float32Array.from(values),
});

/** Doubles every element; remembers the sizes of its batches; refuses what is larger than `fits`. */
function doubler(fits = Number.POSITIVE_INFINITY) {
  const sizes: number[] = [];
  const runner: BatchRunner = {
    async run({ x }) {
      const { dims, data } = x as Tensor;
      await new Promise((resolve) => setTimeout(resolve, 1));
      if ((dims[0] as number) > fits) throw new SpillwayError('ERR_OUT_OF_MEMORY', 'no room');
      sizes.push(dims[0] as number);
      return { y: { type: 'float32', dims, data: (data as Float32Array).map((value) => 2 * value) } };
    },
  };
  return { runner, sizes };
}

describe('batcher', () => {
  it('gives each submitter its own row, in batches of at most maxBatch', async () => {
    const { runner, sizes } = doubler();
    const batcher = new Batcher(runner, { maxBatch: 4 });
    const outputs = await Promise.all(
      Array.from({ length: 10 }, (_, i) => batcher.submit({ x: row(i, -i) })),
    );
    expect(outputs.map(({ y }) => [...((y as Tensor).data as Float32Array)])).toEqual(
      Array.from({ length: 10 }, (_, i) => [2 * i, -2 * i]),
    );
    expect(sizes).toEqual([4, 4, 2]);
    expect(batcher.stats()).toMatchObject({ items: 10, batches: 3, splits: 0, largest: 4 });
  });

  it('begins no batch while it is held, asks once meanwhile, and goes on after', async () => {
    const { runner, sizes } = doubler();
    let asked = 0;
    let release: () => void = () => undefined;
    let held: Promise<void> | undefined = new Promise((resolve) => {
      release = () => {
        held = undefined;
        resolve();
      };
    });
    const hold = () => {
      asked++;
      return held;
    };
    const batcher = new Batcher(runner, { maxBatch: 2, hold });
    const outputs = [1, 2, 3].map((i) => batcher.submit({ x: row(i) }));
    const aborted = new AbortController();
    await new Promise((resolve) => setTimeout(resolve, 10));
    const given = batcher.submit({ x: row(9) }, { signal: aborted.signal });
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect([sizes, asked]).toEqual([[], 1]);
    aborted.abort('enough');
    await expect(given).rejects.toBe('enough');
    release();
    expect((await Promise.all(outputs)).map(({ y }) => ((y as Tensor).data as Float32Array)[0])).toEqual([
      2, 4, 6,
    ]);
    expect(sizes).toEqual([2, 1]);
  });

  it('halves a batch that the budget refuses, down to one, and loses nothing', async () => {
    const { runner, sizes } = doubler(1);
    const batcher = new Batcher(runner, { maxBatch: 4 });
    const outputs = await Promise.all([1, 2, 3, 4].map((i) => batcher.submit({ x: row(i) })));
    expect(outputs.map(({ y }) => ((y as Tensor).data as Float32Array)[0])).toEqual([2, 4, 6, 8]);
    expect(sizes).toEqual([1, 1, 1, 1]);
    // The second half of four is as large as what was refused just before, and not tried again.
    expect(batcher.stats().splits).toBe(2);
  });

  it('rejects a single item that does not fit, and goes on', async () => {
    const batcher = new Batcher(doubler(0).runner);
    await expect(batcher.submit({ x: row(1) })).rejects.toThrow(
      expect.objectContaining({ code: 'ERR_OUT_OF_MEMORY' }),
    );
    await expect(batcher.submit({ x: row(1) })).rejects.toThrow('no room');
  });

  it('tries a single item again that was refused, while others are held back', async () => {
    let fits = 0;
    let held = 0;
    const sizes: number[] = [];
    const runner: BatchRunner = {
      async run({ x }) {
        const { dims, data } = x as Tensor;
        if ((dims[0] as number) > fits++ - 1) throw new SpillwayError('ERR_OUT_OF_MEMORY', 'no room');
        sizes.push(held);
        return { y: { type: 'float32', dims, data } };
      },
    };
    const holdBack = () => {
      held++;
      return { [Symbol.dispose]: () => void held-- };
    };
    const batcher = new Batcher(runner, { holdBack });
    const { y } = await batcher.submit({ x: row(7) });
    expect([...((y as Tensor).data as Float32Array)]).toEqual([7]);
    expect(sizes).toEqual([1]);
    expect(held).toBe(0);
  });

  it('gives items of other shapes batches of their own', async () => {
    const { runner, sizes } = doubler();
    const batcher = new Batcher(runner);
    const items = [row(1), row(1, 2), row(3), row(3, 4), row(5)];
    const outputs = await Promise.all(items.map((x) => batcher.submit({ x })));
    expect(outputs.map(({ y }) => [...((y as Tensor).data as Float32Array)])).toEqual([
      [2],
      [2, 4],
      [6],
      [6, 8],
      [10],
    ]);
    expect(sizes).toEqual([3, 2]);
  });

  it('rejects where an output has no row per item', async () => {
    const summing: BatchRunner = { run: async () => ({ y: row(1) }) };
    const wrong = new Batcher(summing);
    const both = await Promise.allSettled([wrong.submit({ x: row(1) }), wrong.submit({ x: row(2) })]);
    expect(both[0]).toMatchObject({ reason: { code: 'ERR_MODEL_REJECTED' } });
  });

  it('refuses an item that is not one item, and a senseless maxBatch', () => {
    const { runner } = doubler();
    const two: Tensor = { type: 'float32', dims: [2], data: new Float32Array(2) };
    expect(() => new Batcher(runner).submit({ x: two })).toThrow(/first dimension 1/);
    expect(() => new Batcher(runner, { maxBatch: 0 })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' }),
    );
  });

  it('rejects what waits once its signal aborts', async () => {
    const abort = new AbortController();
    const batcher = new Batcher(doubler().runner, { signal: abort.signal });
    abort.abort(new Error('stop'));
    await expect(batcher.submit({ x: row(1) })).rejects.toThrow('stop');
  });
});
