// What becomes of items whose memory is refused, and of a model whose device is lost.
import { describe, expect, it } from 'vitest';
import type { BatchRunner } from '../../src/batch/batch-runner.js';
import { Batcher } from '../../src/batch/batcher.js';
import { batchEvents } from '../../src/batch/events.js';
import type { Job } from '../../src/batch/job.js';
import { Ladder } from '../../src/batch/ladder.js';
import type { Item } from '../../src/batch/rows.js';
import type { Tensor } from '../../src/contract/index.js';
import { type ErrorCode, SpillwayError } from '../../src/util/errors.js';

const item = (value: number): { x: Tensor } => ({
  x: { type: 'float32', dims: [1, 1], data: Float32Array.of(value) },
});
const valueIn = ({ y }: Item) => (y as Tensor).data[0];

/** Runs batches of at most `fits()`; remembers the sizes of those that it refused and ran. */
function limited(fits: () => number, code: ErrorCode = 'ERR_OUT_OF_MEMORY') {
  const tried: number[] = [];
  const runner: BatchRunner = {
    async run({ x }) {
      const { dims, data } = x as Tensor;
      tried.push(dims[0] as number);
      if ((dims[0] as number) > fits()) throw new SpillwayError(code, 'no room');
      return { y: { type: 'float32', dims, data } };
    },
  };
  return { runner, tried };
}

const submitAll = (batcher: Batcher, count: number) =>
  Promise.all(Array.from({ length: count }, (_, i) => batcher.submit(item(i))));

/** A ladder over jobs of which `fits()` go through at once. */
function ladderOver(fits: () => number, reliefs: (() => Promise<number>)[]) {
  const tried: number[] = [];
  const settled: string[] = [];
  const ladder = new Ladder({
    attempt: async (jobs) => {
      tried.push(jobs.length);
      if (jobs.length > fits()) throw new SpillwayError('ERR_OUT_OF_MEMORY', 'no room');
      return jobs.map(() => ({}));
    },
    fits: () => true,
    refused: () => undefined,
    reliefs,
    holdBack: undefined,
    elsewhere: () => undefined,
  });
  const jobs = Array.from({ length: 8 }, (_, i) => ({
    settled: false,
    resolve: () => settled.push(`${i}`),
    reject: () => settled.push(`${i} failed`),
  })) as unknown as Job[];
  return { ladder, jobs, tried, settled };
}

describe('out of memory', () => {
  it('keeps the order of batches of which the next was handed over before one was refused', async () => {
    const { runner, tried } = limited(() => 3);
    const batcher = new Batcher({ ...runner, concurrency: 1 }, { maxBatch: 8 });
    const settled: number[] = [];
    const all = Array.from({ length: 40 }, (_, i) => batcher.submit(item(i)).then(() => settled.push(i)));
    await Promise.all(all);
    expect(tried.slice(0, 2)).toEqual([8, 8]);
    expect(settled).toEqual([...settled.keys()]);
  });

  it('gives memory back before anything is split, the cheapest first', async () => {
    let fits = 0;
    const asked: string[] = [];
    const { ladder, jobs, tried } = ladderOver(
      () => fits,
      [
        async () => {
          asked.push('trim');
          return 2e6;
        },
        async () => {
          asked.push('evict');
          fits = 8;
          return 2e6;
        },
      ],
    );
    await ladder.run(jobs);
    expect(asked).toEqual(['trim', 'evict']);
    expect(tried).toEqual([8, 8, 8]);
  });

  it('does not try again for nothing, and splits where nothing came', async () => {
    const { ladder, jobs, tried, settled } = ladderOver(() => 2, [async () => 0]);
    await ladder.run(jobs);
    expect(tried).toEqual([8, 4, 2, 2, 4, 2, 2]);
    expect(settled).toEqual(['0', '1', '2', '3', '4', '5', '6', '7']);
  });

  it('fails only what cannot be had at all', async () => {
    const { ladder, jobs, settled } = ladderOver(() => 0, []);
    await ladder.run(jobs);
    expect(settled).toEqual(Array.from({ length: 8 }, (_, i) => `${i} failed`));
  });

  it('remembers what was refused, for the batches to come', async () => {
    const { runner, tried } = limited(() => 4);
    const batcher = new Batcher(runner, { maxBatch: 16 });
    const outputs = await submitAll(batcher, 48);
    expect(outputs.map(valueIn)).toEqual(Array.from({ length: 48 }, (_, i) => i));
    expect(tried[0]).toBe(8);
    expect(tried.slice(1).every((size) => size <= 4)).toBe(true);
    expect(batcher.stats().splits).toBe(1);
  });

  it('asks whoever can evict', async () => {
    let fits = 1;
    const { runner, tried } = limited(() => fits);
    const relief = async () => {
      fits = 8;
      return 5e6;
    };
    await submitAll(new Batcher(runner, { relief }), 8);
    expect(tried.at(-1)).toBe(8);
    expect(Math.min(...tried)).toBe(8);
  });

  it('runs elsewhere what is refused alone, and nothing else', async () => {
    const small = limited(() => 0);
    const large = limited(() => 8);
    let opened = 0;
    const fallback = async () => {
      opened++;
      return large.runner;
    };
    const batcher = new Batcher(small.runner, { fallback, maxBatch: 2 });
    const outputs = await submitAll(batcher, 4);
    expect(outputs.map(valueIn)).toEqual([0, 1, 2, 3]);
    expect(large.tried).toEqual([1, 1, 1, 1]);
    expect(opened).toBe(1);
    expect(batcher.stats()).toMatchObject({
      rescued: 4,
      retired: false,
      fallbackCause: { code: 'ERR_OUT_OF_MEMORY' },
    });
  });

  it('waits for room here only for what is refused elsewhere too', async () => {
    let held = 0;
    const holdBack = () => {
      held++;
      return { [Symbol.dispose]: () => undefined };
    };
    const large = limited(() => 8);
    const fallback = async () => large.runner;
    await submitAll(new Batcher(limited(() => 0).runner, { fallback, holdBack, maxBatch: 1 }), 3);
    expect(held).toBe(0);
    let fits = 0;
    const later = {
      run: (...given: Parameters<BatchRunner['run']>) => limited(() => fits++).runner.run(...given),
    };
    const full = async () => limited(() => 0).runner;
    const [outputs] = await submitAll(new Batcher(later, { fallback: full, holdBack }), 1);
    expect(outputs).toHaveProperty('y');
    expect(held).toBe(1);
  });

  it('rejects with the refusal where it is refused everywhere', async () => {
    const fallback = async () => limited(() => 0).runner;
    const batcher = new Batcher(limited(() => 0).runner, { fallback });
    await expect(batcher.submit(item(1))).rejects.toMatchObject({ code: 'ERR_OUT_OF_MEMORY' });
  });

  it('rejects with what the opening of the fallback rejects with, and tries to open it again', async () => {
    let openings = 0;
    const fallback = async () => {
      if (openings++ === 0) throw new Error('no such model');
      return limited(() => 8).runner;
    };
    const batcher = new Batcher(limited(() => 0).runner, { fallback });
    await expect(batcher.submit(item(1))).rejects.toThrow('no such model');
    await expect(batcher.submit(item(1))).resolves.toHaveProperty('y');
  });
});

describe('a lost device', () => {
  it('retires the model: the same items and all that come run on the fallback', async () => {
    const told: unknown[] = [];
    const listener = (message: unknown) => told.push(message);
    batchEvents.retired.subscribe(listener);
    const gone = limited(() => 0, 'ERR_DEVICE_LOST');
    const other = limited(() => 8);
    const batcher = new Batcher(gone.runner, { fallback: async () => other.runner });
    expect((await submitAll(batcher, 3)).map(valueIn)).toEqual([0, 1, 2]);
    await submitAll(batcher, 2);
    batchEvents.retired.unsubscribe(listener);
    expect(gone.tried).toEqual([3]);
    expect(other.tried).toEqual([3, 2]);
    expect(batcher.stats()).toMatchObject({ retired: true, fallbackCause: { code: 'ERR_DEVICE_LOST' } });
    expect(told).toMatchObject([{ error: { code: 'ERR_DEVICE_LOST' } }]);
  });

  it('rejects all without a fallback, without asking the device again', async () => {
    const gone = limited(() => 0, 'ERR_DEVICE_LOST');
    const batcher = new Batcher(gone.runner);
    for (let i = 0; i < 2; i++)
      await expect(batcher.submit(item(1))).rejects.toMatchObject({ code: 'ERR_DEVICE_LOST' });
    expect(gone.tried).toEqual([1]);
  });
});
