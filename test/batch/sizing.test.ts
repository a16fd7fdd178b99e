// What the batcher measures of its runs, and makes of it.
import { describe, expect, it } from 'vitest';
import type { BatchRunner } from '../../src/batch/batch-runner.js';
import { Batcher } from '../../src/batch/batcher.js';
import type { Tensor } from '../../src/contract/index.js';
import { native } from '../../src/native/load.js';

const PER_RUN = 10e6;
const PER_ITEM = 1e6;
const item = (): { x: Tensor } => ({ x: { type: 'float32', dims: [1, 1], data: Float32Array.of(1) } });

/** Charges what it takes, as the engine does. */
function charging() {
  const { ledger } = native();
  const account = ledger.account('infer', 0);
  const sizes: number[] = [];
  const runner: BatchRunner = {
    async run({ x }) {
      const { dims, data } = x as Tensor;
      const bytes = PER_RUN + PER_ITEM * (dims[0] as number);
      ledger.overdraw(account, bytes);
      await new Promise((resolve) => setTimeout(resolve, 5));
      ledger.credit(account, bytes);
      sizes.push(dims[0] as number);
      return { y: { type: 'float32', dims, data } };
    },
  };
  return { runner, sizes };
}

describe('what a batch takes', () => {
  it('is fitted in bytes where a share of memory is asked for', async () => {
    const { runner } = charging();
    const batcher = new Batcher(runner, { memoryShare: 0.9, maxBatch: 32 });
    await Promise.all(Array.from({ length: 120 }, () => batcher.submit(item())));
    const { fit } = batcher.stats();
    expect(fit?.bytesPerUnit).toBeCloseTo(PER_ITEM, 0);
    expect(fit?.bytesPerRun).toBeCloseTo(PER_RUN, 0);
  });

  it('is fitted in time alone without, and unknown before batches of two sizes ran', async () => {
    const { runner } = charging();
    const batcher = new Batcher(runner, { maxBatch: 32 });
    await batcher.submit(item());
    expect(batcher.stats().fit).toBeUndefined();
    await Promise.all(Array.from({ length: 120 }, () => batcher.submit(item())));
    expect(batcher.stats().fit).toMatchObject({ bytesPerUnit: undefined, bytesPerRun: undefined });
    expect(batcher.stats().fit?.msPerRun).toBeGreaterThan(0);
  });

  it('bounds the next batch by the least of what is allowed', async () => {
    const { runner, sizes } = charging();
    let allowed = 3;
    const batcher = new Batcher(runner, { limit: () => allowed, maxBatch: 5 });
    await Promise.all(Array.from({ length: 6 }, () => batcher.submit(item())));
    expect(batcher.stats().size).toEqual({ cost: 3, bound: 'memory' });
    allowed = 100;
    await Promise.all(Array.from({ length: 10 }, () => batcher.submit(item())));
    expect(sizes).toEqual([3, 3, 5, 5]);
    expect(batcher.stats().size).toMatchObject({ cost: 5 });
  });

  it.each([
    [{ minBatch: 9, maxBatch: 8 }, /minBatch/],
    [{ memoryShare: 0 }, /memoryShare/],
    [{ memoryShare: 1.5 }, /memoryShare/],
    [{ maxLatency: 'soon' }, /maxLatency/],
    [{ concurrency: 0 }, /concurrency/],
    [{ limit: 3 as never }, /limit/],
  ])('refuses %o', (options, message) => {
    expect(() => new Batcher(charging().runner, options)).toThrow(message);
  });
});
