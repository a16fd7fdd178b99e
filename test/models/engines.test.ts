// What both engines must do alike.
import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { Tensor, TensorType } from '../../src/contract/index.js';
import { ModelCache } from '../../src/models/model-cache.js';
import { identityGraph, slowFeed, slowGraph, twoOutputsGraph } from '../support/graphs.js';
import { overNative } from '../support/paths.js';

const EVERY_TYPE: Record<TensorType, Tensor['data']> = {
  float32: Float32Array.of(1.5, -0, Number.NaN, Number.POSITIVE_INFINITY, 1e-40, 3.4e38),
  float64: Float64Array.of(1.5, -0, Number.NaN, Number.NEGATIVE_INFINITY, 5e-324, 1.7e308),
  float16: Uint16Array.of(0x3c00, 0x8000, 0x7e00, 0x7c00, 0x0001, 0x7bff),
  int8: Int8Array.of(-128, -1, 0, 1, 2, 127),
  uint8: Uint8Array.of(0, 1, 2, 3, 254, 255),
  int16: Int16Array.of(-32768, -1, 0, 1, 2, 32767),
  uint16: Uint16Array.of(0, 1, 2, 3, 4, 65535),
  int32: Int32Array.of(-(2 ** 31), -1, 0, 1, 2, 2 ** 31 - 1),
  uint32: Uint32Array.of(0, 1, 2, 3, 4, 2 ** 32 - 1),
  int64: BigInt64Array.of(-(2n ** 63n), -1n, 0n, 1n, 2n, 2n ** 63n - 1n),
  uint64: BigUint64Array.of(0n, 1n, 2n, 3n, 4n, 2n ** 64n - 1n),
  bool: Uint8Array.of(0, 1, 1, 0, 0, 1),
  string: ['', 'a', 'ü', '漢字', '🙂', 'line\nbreak'],
};

const floats = (dims: number[], data: number[]): Tensor => ({
  type: 'float32',
  dims,
  data: Float32Array.from(data),
});
const pair = (rows: number) => {
  const values = Array.from({ length: rows * 2 }, (_, i) => i + 1);
  return { a: floats([rows, 2], values), b: floats([rows, 2], values) };
};

describe.each(overNative ? (['native', 'stock'] as const) : (['stock'] as const))(
  'the %s engine',
  (engine) => {
    const cache = new ModelCache({ engine, device: 'cpu', threads: 2 });
    afterEach(() => cache.clear());
    afterAll(() => cache.close());

    it('is the one that was asked for, with its version and a reason', async () => {
      using model = await cache.acquire(twoOutputsGraph());
      expect(model.engine.name).toBe(engine);
      expect(model.engine.version).toMatch(/^1\.\d+\./);
      expect(model.engine.reason).not.toBe('');
      expect(model.device).toBe('cpu');
    });

    it('describes inputs and outputs with their free dimensions', async () => {
      using model = await cache.acquire(twoOutputsGraph());
      expect(model.inputNames).toEqual(['a', 'b']);
      expect(model.outputNames).toEqual(['sum', 'product']);
      expect(model.inputMetadata[0]).toEqual({ name: 'a', type: 'float32', dims: ['n', 2] });
      expect(model.outputMetadata[1]).toEqual({ name: 'product', type: 'float32', dims: ['n', 2] });
    });

    it('carries every element type there and back unchanged', async () => {
      for (const [type, data] of Object.entries(EVERY_TYPE) as [TensorType, Tensor['data']][]) {
        using model = await cache.acquire(identityGraph(type));
        const { y } = await model.run({ x: { type, dims: [2, 3], data } });
        expect(y, type).toEqual({ type, dims: [2, 3], data });
      }
    });

    it('takes batches of any size, none included', async () => {
      using model = await cache.acquire(twoOutputsGraph());
      for (const rows of [1, 5, 0, 64]) {
        const { sum, product } = await model.run(pair(rows));
        expect(sum?.dims).toEqual([rows, 2]);
        expect([...((product?.data as Float32Array) ?? [])]).toEqual(
          Array.from({ length: rows * 2 }, (_, i) => (i + 1) ** 2),
        );
      }
    });

    it('reads a view in the middle of a larger buffer', async () => {
      using model = await cache.acquire(twoOutputsGraph());
      const data = Float32Array.from([9, 9, 1, 2, 9]).subarray(2, 4);
      const { sum } = await model.run({
        a: { type: 'float32', dims: [1, 2], data },
        b: floats([1, 2], [10, 20]),
      });
      expect(sum?.data).toEqual(Float32Array.of(11, 22));
    });

    it('computes only the outputs asked for', async () => {
      using model = await cache.acquire(twoOutputsGraph());
      expect(Object.keys(await model.run(pair(1), { outputs: ['product'] }))).toEqual(['product']);
      await expect(model.run(pair(1), { outputs: ['quotient'] })).rejects.toMatchObject({
        code: 'ERR_INVALID_ARGUMENT',
        message: "expected outputs named 'sum', 'product' for outputs but received \"quotient\"",
      });
    });

    it.each([
      ['a missing input', { a: floats([1, 2], [1, 2]) }, /feeds\.b/],
      ['an unknown input', { ...pair(1), c: floats([1, 2], [1, 2]) }, /received "c"/],
      [
        'a wrong type',
        { ...pair(1), b: { type: 'int32', dims: [1, 2], data: new Int32Array(2) } },
        /b\.type/,
      ],
      ['a wrong rank', { ...pair(1), b: floats([2], [1, 2]) }, /dimensions \[n, 2\].*"\[2\]"/],
      ['a wrong fixed dimension', { ...pair(1), b: floats([1, 3], [1, 2, 3]) }, /dimensions \[n, 2\]/],
      ['a negative dimension', { ...pair(1), b: floats([-1, 2], [1, 2]) }, /dimensions/],
      ['too few elements', { ...pair(1), b: floats([2, 2], [1, 2]) }, /4 elements.*received 2/],
      [
        'elements of another class',
        { ...pair(1), b: { type: 'float32', dims: [1, 2], data: [1, 2] } },
        /Float32Array/,
      ],
      [
        'shared memory',
        {
          ...pair(1),
          b: { type: 'float32', dims: [1, 2], data: new Float32Array(new SharedArrayBuffer(8)) },
        },
        /SharedArrayBuffer/,
      ],
    ])('refuses %s', async (_, feeds, message) => {
      using model = await cache.acquire(twoOutputsGraph());
      await expect(model.run(feeds as Record<string, Tensor>)).rejects.toMatchObject({
        code: 'ERR_INVALID_ARGUMENT',
        message: expect.stringMatching(message),
      });
      expect((await model.run(pair(1))).sum?.data).toEqual(Float32Array.of(2, 4));
    });

    it('reports sizes that only meet inside the graph', async () => {
      using model = await cache.acquire(twoOutputsGraph());
      const feeds = { a: floats([2, 2], [1, 2, 3, 4]), b: floats([3, 2], [1, 2, 3, 4, 5, 6]) };
      await expect(model.run(feeds)).rejects.toMatchObject({ code: 'ERR_ENGINE' });
    });

    it.each([
      ['nothing', new Uint8Array(0)],
      ['text', Buffer.from('not a graph at all')],
      ['half a graph', slowGraph().subarray(0, 300)],
    ])('rejects %s as a model, on one line', async (_, bytes) => {
      const failure = await cache.acquire(bytes).then(
        () => undefined,
        (error: Error & { code?: string }) => error,
      );
      expect(failure).toMatchObject({ code: 'ERR_MODEL_REJECTED' });
      expect(failure?.message).not.toContain('\n');
    });

    it('keeps overlapping runs of one session apart', async () => {
      using model = await cache.acquire(twoOutputsGraph());
      const rows = Array.from({ length: 40 }, (_, i) => (i % 7) + 1);
      const results = await Promise.all(rows.map((count) => model.run(pair(count))));
      expect(results.map(({ sum }) => sum?.dims[0])).toEqual(rows);
    });

    it('leaves the event loop free during a run', async () => {
      using model = await cache.acquire(slowGraph());
      let running = true;
      const run = model.run(slowFeed()).finally(() => {
        running = false;
      });
      let turns = 0;
      for (; running; turns++) await turn();
      await run;
      expect(turns).toBeGreaterThan(100);
    });

    it('rejects an aborted run with the reason of its signal, and goes on working', async () => {
      using model = await cache.acquire(slowGraph());
      const controller = new AbortController();
      const reason = new Error('changed my mind');
      const run = model.run(slowFeed(), { signal: controller.signal });
      for (let turns = 0; turns < 100; turns++) await turn();
      controller.abort(reason);
      await expect(run).rejects.toBe(reason);
      await expect(model.run(slowFeed(), { signal: controller.signal })).rejects.toBe(reason);
      expect((await model.run(slowFeed())).y?.dims).toEqual([384, 384]);
    });

    it('finishes a run whose model is disposed of and cleared meanwhile', async () => {
      const model = await cache.acquire(slowGraph());
      const run = model.run(slowFeed());
      model[Symbol.dispose]();
      model[Symbol.dispose]();
      cache.clear();
      expect(cache.stats().models).toEqual([]);
      expect((await run).y?.dims).toEqual([384, 384]);
      await expect(model.run(slowFeed())).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    });
  },
);
