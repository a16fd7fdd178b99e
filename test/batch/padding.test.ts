// Items of several lengths: what is padded, what the outputs are cut to, and what is refused.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attention, uniform } from '../../scripts/make-model/test-graphs.mjs';
import type { BatchRunner } from '../../src/batch/batch-runner.js';
import { Batcher } from '../../src/batch/batcher.js';
import type { BatcherOptions } from '../../src/batch/batcher-options.js';
import { copyBlock, elementsOf } from '../../src/batch/block.js';
import type { Tensor, ValueInfo } from '../../src/contract/index.js';
import { ModelCache } from '../../src/models/model-cache.js';

const WIDTH = 2;
const tokens = (length: number, seed = length): Tensor => {
  const random = uniform(seed);
  const data = Float32Array.from({ length: length * WIDTH }, () => random() - 0.5);
  return { type: 'float32', dims: [1, length, WIDTH], data };
};

const floats = (tensor: Tensor | undefined) => (tensor as Tensor).data as Float32Array;

/** Doubles; remembers what it was fed. */
function doubler(metadata: Partial<BatchRunner> = {}) {
  const fed: Record<string, Tensor>[] = [];
  const runner: BatchRunner = {
    ...metadata,
    async run(feeds) {
      fed.push(feeds);
      const { type, dims, data } = feeds.x as Tensor;
      return { y: { type, dims, data: (data as Float32Array).map((value) => 2 * value) } };
    },
  };
  return { runner, fed };
}

const value = (name: string, dims: ValueInfo['dims'], type: ValueInfo['type'] = 'float32') => ({
  name,
  type,
  dims,
});
const NAMED = {
  inputMetadata: [value('x', ['n', 't', WIDTH]), value('mask', ['n', 't'], 'int64')],
  outputMetadata: [value('y', ['n', 't', WIDTH])],
};
const pad = { inputs: { x: { axis: 1 } } };
/** Lengths within 10 %. */
const LENGTHS = [20, 19, 20, 18];

describe('padding', () => {
  it('is not done unasked: equal lengths share a batch', async () => {
    const { runner, fed } = doubler(NAMED);
    const batcher = new Batcher(runner);
    await Promise.all([3, 4, 3, 4, 3].map((length) => batcher.submit({ x: tokens(length) })));
    expect(fed.map(({ x }) => x?.dims)).toEqual([
      [3, 3, WIDTH],
      [2, 4, WIDTH],
    ]);
  });

  it('fills up to the longest and cuts each output back', async () => {
    const { runner, fed } = doubler(NAMED);
    const batcher = new Batcher(runner, { pad: { inputs: { x: { axis: 1, value: 7 } } } });
    const items = LENGTHS.map((length, i) => tokens(length, i));
    const outputs = await Promise.all(items.map((x) => batcher.submit({ x })));
    expect(fed.map(({ x }) => x?.dims)).toEqual([[4, 20, WIDTH]]);
    expect([...floats(fed[0]?.x).subarray(59 * WIDTH, 60 * WIDTH)]).not.toEqual([7, 7]);
    expect([...floats(fed[0]?.x).subarray(78 * WIDTH)]).toEqual([7, 7, 7, 7]);
    for (const [i, { y }] of outputs.entries()) {
      expect(y?.dims).toEqual(items[i]?.dims);
      expect(y?.data).toEqual(floats(items[i]).map((each) => 2 * each));
    }
    expect(batcher.stats().padding).toBeCloseTo(1 - 77 / 80, 9);
  });

  it('makes the mask that the graph takes', async () => {
    const { runner, fed } = doubler(NAMED);
    const batcher = new Batcher(runner, { pad: { ...pad, mask: 'mask' } });
    await Promise.all([3, 2].map((length) => batcher.submit({ x: tokens(length) })));
    expect(fed[0]?.mask).toEqual({ type: 'int64', dims: [1, 3], data: BigInt64Array.of(1n, 1n, 1n) });
    const wide = new Batcher(runner, { pad: { ...pad, mask: 'mask' }, maxPadding: 0.5 });
    await Promise.all([3, 2].map((length) => wide.submit({ x: tokens(length) })));
    expect(fed[2]?.mask).toEqual({
      type: 'int64',
      dims: [2, 3],
      data: BigInt64Array.of(1n, 1n, 1n, 1n, 1n, 0n),
    });
  });

  it('pads at most a tenth, whatever comes, and keeps within the budget of tokens', async () => {
    const { runner, fed } = doubler(NAMED);
    // With a least size nothing depends on how fast the machine is.
    const batcher = new Batcher(runner, { pad, tokenBudget: 300, minBatch: 64 });
    const random = uniform(5);
    const lengths = Array.from({ length: 400 }, () => 1 + Math.floor(random() * 200));
    const outputs = await Promise.all(lengths.map((length) => batcher.submit({ x: tokens(length) })));
    expect(outputs.map(({ y }) => y?.dims[1])).toEqual(lengths);
    expect(batcher.stats().padding).toBeLessThanOrEqual(0.1);
    for (const { x } of fed) expect((x?.dims[0] ?? 0) * (x?.dims[1] ?? 0)).toBeLessThanOrEqual(300);
    expect(batcher.stats().batches).toBeLessThan(250);
  });

  it('counts the tokens of equal shapes as well', async () => {
    const { runner, fed } = doubler();
    const batcher = new Batcher(runner, { tokenBudget: 40 });
    await Promise.all(Array.from({ length: 8 }, () => batcher.submit({ x: tokens(13) })));
    expect(fed.map(({ x }) => x?.dims[0])).toEqual([3, 3, 2]);
  });

  it('takes the word of the caller for what the graph does not name', async () => {
    const unnamed = { ...NAMED, outputMetadata: [value('y', ['n', '', WIDTH])] };
    expect(() => new Batcher(doubler(unnamed).runner, { pad })).toThrow(/pad\.outputs\.y/);
    expect(() => new Batcher(doubler().runner, { pad })).toThrow(/pad\.outputs/);
    const batcher = new Batcher(doubler(unnamed).runner, { pad: { ...pad, outputs: { y: [1] } } });
    const outputs = await Promise.all(LENGTHS.map((length) => batcher.submit({ x: tokens(length) })));
    expect(outputs.map(({ y }) => y?.dims[1])).toEqual(LENGTHS);
  });

  it('rejects an output that is not as long as it was said to be', async () => {
    const shorter: BatchRunner = {
      run: async ({ x }) => ({
        y: { type: 'float32', dims: [x?.dims[0] ?? 0, 2], data: new Float32Array(8) },
      }),
    };
    const batcher = new Batcher(shorter, { pad: { ...pad, outputs: { y: [1] } } });
    const all = await Promise.allSettled(LENGTHS.map((length) => batcher.submit({ x: tokens(length) })));
    for (const each of all)
      expect(each).toMatchObject({
        reason: { code: 'ERR_MODEL_REJECTED', message: expect.stringContaining('[4,20]') },
      });
  });

  it.each<[BatcherOptions, RegExp]>([
    [{ pad: { inputs: {} } }, /pad\.inputs/],
    [{ pad: { inputs: { x: { axis: 0 } } } }, /axis/],
    [{ pad: { inputs: { z: { axis: 1 } } } }, /input of the graph/],
    [{ pad: { inputs: { x: { axis: 2 } } } }, /leaves open/],
    [{ pad: { ...pad, mask: 'x' } }, /pad\.mask/],
    [{ pad, maxPadding: 1 }, /maxPadding/],
  ])('refuses %o', (options, message) => {
    const metadata = { ...NAMED, inputMetadata: [value('x', ['n', 't', WIDTH], 'string')] };
    expect(() => new Batcher(doubler(metadata).runner, options)).toThrow(message);
  });

  it('refuses an item whose inputs differ in length, or that brings the mask', () => {
    const two = { inputs: { x: { axis: 1 }, mask: { axis: 1 } } };
    const ids: Tensor = { type: 'int64', dims: [1, 3], data: new BigInt64Array(3) };
    expect(() =>
      new Batcher(doubler(NAMED).runner, { pad: two }).submit({ x: tokens(4), mask: ids }),
    ).toThrow(/the length 4/);
    const masked = new Batcher(doubler(NAMED).runner, { pad: { ...pad, mask: 'mask' } });
    expect(() => masked.submit({ x: tokens(3), mask: ids })).toThrow(/makes the mask/);
  });
});

describe('copying blocks', () => {
  it('puts every element where it belongs, in any shape', () => {
    const shape = fc.array(fc.tuple(fc.nat(3), fc.nat(2), fc.nat(2)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(shape, (given) => {
        const block = given.map(([size]) => size);
        const from = given.map(([size, more]) => size + more);
        const to = given.map(([size, , more]) => size + more);
        const data = Int32Array.from({ length: elementsOf(from) }, (_, i) => i + 1);
        const target = new Int32Array(elementsOf(to));
        copyBlock({ data, at: 0, dims: from }, { data: target, at: 0, dims: to }, block);
        const moved = [...target].flatMap((each, at) => (each === 0 ? [] : [[at, each - 1]]));
        expect(moved).toHaveLength(elementsOf(block));
        for (const [at, was] of moved)
          expect(placeOf(at as number, to)).toEqual(placeOf(was as number, from));
      }),
    );
  });
});

function placeOf(at: number, dims: readonly number[]): number[] {
  return dims.map((size, axis) => Math.floor(at / elementsOf(dims, axis + 1)) % size);
}

describe('an attention graph', () => {
  it('says the same of an item, padded beside others or alone', async () => {
    const cache = new ModelCache({ device: 'cpu', threads: 1 });
    using model = await cache.acquire(attention({ width: 16 }));
    const batcher = new Batcher(model, { pad: { ...pad, mask: 'mask' }, maxPadding: 0.5 });
    const random = uniform(9);
    const items = [5, 9, 7, 6, 8].map((length): Tensor => {
      const data = Float32Array.from({ length: length * 16 }, () => random() - 0.5);
      return { type: 'float32', dims: [1, length, 16], data };
    });
    const together = await Promise.all(items.map((x) => batcher.submit({ x })));
    expect(batcher.stats().padding).toBeGreaterThan(0.1);
    for (const [i, x] of items.entries()) {
      const length = x.dims[1] ?? 0;
      const mask: Tensor = { type: 'float32', dims: [1, length], data: new Float32Array(length).fill(1) };
      const { y } = await model.run({ x, mask });
      expect(together[i]?.y?.dims).toEqual([1, length, 16]);
      const apart = Array.from(floats(together[i]?.y));
      for (const [k, each] of apart.entries()) expect(each).toBeCloseTo(floats(y)[k] ?? 0, 5);
    }
    await cache.close();
  });
});
