// Batches are put together in memory that is used again.
import { describe, expect, it } from 'vitest';
import type { BatchRunner } from '../../src/batch/batch-runner.js';
import { Batcher } from '../../src/batch/batcher.js';
import { Staging } from '../../src/batch/staging.js';
import type { Tensor } from '../../src/contract/index.js';

describe('staging', () => {
  it('gives what was given back where it is large enough, the smallest first, as any kind of elements', () => {
    const staging = new Staging();
    const [large, small] = [staging.take(new Float32Array(), 100), staging.take(new Float32Array(), 10)];
    staging.give([large, small]);
    const ints = staging.take(new BigInt64Array(), 5);
    expect(ints).toBeInstanceOf(BigInt64Array);
    expect(ints).toHaveLength(5);
    expect(ints.buffer).toBe(small.buffer);
    expect(staging.take(Buffer.alloc(0), 400).buffer).toBe(large.buffer);
    expect(staging.bytes).toBe(0);
  });

  it('lets go of what is too small, and of all when asked', () => {
    const staging = new Staging();
    staging.give([staging.take(new Uint8Array(), 10), staging.take(new Uint8Array(), 20)]);
    expect(staging.bytes).toBe(30);
    const larger = staging.take(new Uint8Array(), 30);
    expect(staging.bytes).toBe(0);
    staging.give([larger]);
    staging.clear();
    expect(staging.bytes).toBe(0);
    expect(staging.take(new Uint8Array(), 30).buffer).not.toBe(larger.buffer);
  });
});

/** Says of each item what it was given, and in which memory. */
function echo() {
  const buffers: ArrayBufferLike[] = [];
  const runner: BatchRunner = {
    async run({ x }) {
      const { dims, data } = x as Tensor;
      buffers.push((data as Float32Array).buffer);
      await new Promise((resolve) => setTimeout(resolve, 1));
      return { y: { type: 'float32', dims, data } };
    },
  };
  return { runner, buffers };
}

const item = (value: number, length = 3): { x: Tensor } => ({
  x: { type: 'float32', dims: [1, length], data: new Float32Array(length).fill(value) },
});
const valuesOf = ({ y }: Readonly<Record<string, Tensor>>) => [...((y as Tensor).data as Float32Array)];

describe('a batcher', () => {
  it('puts batch after batch together in the same memory, and leaves no trace of one in another', async () => {
    const { runner, buffers } = echo();
    const batcher = new Batcher(runner, {
      maxBatch: 4,
      pad: { inputs: { x: { axis: 1 } }, outputs: { y: [1] } },
    });
    const lengths = [3, 1, 2, 3, 3, 2, 1, 3, 3, 3, 3, 3];
    const outputs = await Promise.all(lengths.map((length, i) => batcher.submit(item(i + 1, length))));
    for (const [i, length] of lengths.entries())
      expect(valuesOf(outputs[i] ?? {})).toEqual(new Array(length).fill(i + 1));
    expect(batcher.stats().batches).toBeGreaterThan(2);
    expect(new Set(buffers).size).toBeLessThan(buffers.length);
  });

  it('keeps none of it while it has nothing to do', async () => {
    const { runner, buffers } = echo();
    const batcher = new Batcher(runner, { maxBatch: 4 });
    for (let round = 0; round < 2; round++) {
      await Promise.all([1, 2, 3, 4].map((value) => batcher.submit(item(value))));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(new Set(buffers).size).toBe(2);
  });
});
