// When items run: priorities, deadlines, abort, and how long they are gathered. Time is faked.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { BatchRunner } from '../../src/batch/batch-runner.js';
import { Batcher } from '../../src/batch/batcher.js';
import type { Tensor } from '../../src/contract/index.js';

const one = (value: number): { x: Tensor } => ({
  x: { type: 'float32', dims: [1, 1], data: Float32Array.of(value) },
});

/** Takes 10 ms a run; remembers what each was given and when it began. */
function timed() {
  const runs: { at: number; values: number[] }[] = [];
  const signals: AbortSignal[] = [];
  const runner: BatchRunner = {
    async run({ x }, { signal }) {
      const { dims, data } = x as Tensor;
      runs.push({ at: performance.now(), values: [...(data as Float32Array)] });
      if (signal) signals.push(signal);
      await new Promise((resolve, reject) => {
        setTimeout(resolve, 10);
        signal?.addEventListener('abort', () => reject(signal.reason));
      });
      return { y: { type: 'float32', dims, data } };
    },
  };
  return { runner, runs, signals, values: () => runs.map(({ values }) => values) };
}

/** Runs one batch after another, 10 ms each, as a session does; remembers when each was handed over. */
function inTurn() {
  const handed: { at: number; items: number }[] = [];
  let last = Promise.resolve();
  const runner: BatchRunner = {
    concurrency: 1,
    async run({ x }) {
      const { dims, data } = x as Tensor;
      handed.push({ at: performance.now(), items: dims[0] as number });
      last = last.then(() => new Promise((resolve) => setTimeout(resolve, 10)));
      await last;
      return { y: { type: 'float32', dims, data } };
    },
  };
  return { runner, handed };
}

describe('queueing', () => {
  beforeEach(() => {
    vi.useFakeTimers({
      toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'],
    });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('begins at once when idle, whatever the latency allows', async () => {
    const { runner, runs } = timed();
    const batcher = new Batcher(runner, { maxLatency: '1s' });
    const start = performance.now();
    const done = batcher.submit(one(1));
    await vi.advanceTimersByTimeAsync(11);
    await done;
    expect(runs[0]?.at).toBe(start);
  });

  it('gathers while a run is going on', async () => {
    const { runner, values } = timed();
    const batcher = new Batcher(runner);
    const first = batcher.submit(one(1));
    await vi.advanceTimersByTimeAsync(2);
    const others = [2, 3].map((value) => batcher.submit(one(value)));
    await vi.advanceTimersByTimeAsync(30);
    await Promise.all([first, ...others]);
    expect(values()).toEqual([[1], [2, 3]]);
  });

  it('with runs to spare waits for a full batch, at most maxLatency', async () => {
    const { runner, runs } = timed();
    const batcher = new Batcher(runner, { concurrency: 2, minBatch: 2, maxBatch: 2, maxLatency: '4ms' });
    const start = performance.now();
    const all = [batcher.submit(one(1))];
    await vi.advanceTimersByTimeAsync(1);
    all.push(batcher.submit(one(2)));
    await vi.advanceTimersByTimeAsync(30);
    await Promise.all(all);
    expect(runs.map(({ at }) => at - start)).toEqual([0, 5]);
  });

  it('does not wait with a full batch', async () => {
    const { runner, runs } = timed();
    const batcher = new Batcher(runner, { concurrency: 2, minBatch: 2, maxBatch: 2, maxLatency: '4ms' });
    const all = [batcher.submit(one(1))];
    await vi.advanceTimersByTimeAsync(1);
    const now = performance.now();
    all.push(batcher.submit(one(2)), batcher.submit(one(3)));
    await vi.advanceTimersByTimeAsync(30);
    await Promise.all(all);
    expect(runs[1]).toEqual({ at: now, values: [2, 3] });
  });

  it('hands a full batch to a model that runs them in turn before the one before has ended', async () => {
    const { runner, handed } = inTurn();
    const batcher = new Batcher(runner, { maxBatch: 2 });
    const start = performance.now();
    const settled: number[] = [];
    const all = [1, 2, 3, 4, 5].map((value) => batcher.submit(one(value)).then(() => settled.push(value)));
    await vi.advanceTimersByTimeAsync(40);
    await Promise.all(all);
    // The last one is not full, and so gathers until nothing runs; it takes a turn of the loop.
    expect(handed.map(({ at, items }) => [at - start, items])).toEqual([
      [0, 2],
      [0, 2],
      [21, 1],
    ]);
    expect(settled).toEqual([1, 2, 3, 4, 5]);
  });

  it.each([{ maxLatency: '1s' }, { memoryShare: 0.5 }, { concurrency: 1 }])(
    'hands it none early with %o',
    async (options) => {
      const { runner, handed } = inTurn();
      const batcher = new Batcher(runner, { minBatch: 2, maxBatch: 2, ...options });
      const start = performance.now();
      const all = [1, 2, 3, 4].map((value) => batcher.submit(one(value)));
      await vi.advanceTimersByTimeAsync(40);
      await Promise.all(all);
      expect(handed.map(({ at }) => at - start)).toEqual([0, 11]);
    },
  );

  it('does not count the time that a batch waited in the model', async () => {
    const { runner, handed } = inTurn();
    const batcher = new Batcher(runner, { maxBatch: 16 });
    const all = Array.from({ length: 200 }, (_, value) => batcher.submit(one(value)));
    await vi.advanceTimersByTimeAsync(1000);
    await Promise.all(all);
    expect(new Set(handed.map(({ items }) => items)).size).toBeGreaterThan(1);
    const { msPerRun = 0, msPerUnit = 0 } = batcher.stats().fit ?? {};
    expect(msPerRun + 8 * msPerUnit).toBeCloseTo(10, 0);
  });

  it('serves the higher priority first', async () => {
    const { runner, values } = timed();
    const batcher = new Batcher(runner, { maxBatch: 1, priority: 1 });
    const all = [
      batcher.submit(one(1)),
      batcher.submit(one(2), { priority: 0 }),
      batcher.submit(one(3), { priority: 9 }),
    ];
    await vi.advanceTimersByTimeAsync(50);
    await Promise.all(all);
    expect(values()).toEqual([[3], [1], [2]]);
  });

  it('runs a batch with the priority of its most urgent item', async () => {
    const priorities: (number | undefined)[] = [];
    const runner: BatchRunner = {
      async run({ x }, { priority }) {
        priorities.push(priority);
        return { y: x as Tensor };
      },
    };
    const batcher = new Batcher(runner, { maxBatch: 3, priority: 2 });
    const all = [4, undefined, -1, -1, -3, undefined].map((priority, i) =>
      batcher.submit(one(i), { priority }),
    );
    await vi.advanceTimersByTimeAsync(50);
    await Promise.all(all);
    expect(priorities).toEqual([4, -1]);
  });

  it('serves what has waited long before what is more urgent by little', async () => {
    const { runner, values } = timed();
    const batcher = new Batcher(runner, { maxBatch: 1 });
    const all = [batcher.submit(one(0), { priority: 100 }), batcher.submit(one(1))];
    const stream = async () => {
      for (let value = 2; value < 400; value++) {
        all.push(batcher.submit(one(value), { priority: 2 }));
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    };
    const streaming = stream();
    await vi.advanceTimersByTimeAsync(10_000);
    await streaming;
    await Promise.all(all);
    const place = values().findIndex(([value]) => value === 1);
    expect(place).toBeGreaterThan(150);
    expect(place).toBeLessThan(250);
  });

  it('rejects what had not begun by its deadline, and runs the rest', async () => {
    const { runner, values } = timed();
    const batcher = new Batcher(runner, { maxBatch: 1 });
    const first = batcher.submit(one(1));
    const late = batcher.submit(one(2), { deadline: '5ms' });
    const patient = batcher.submit(one(3), { deadline: '50ms' });
    const refused = expect(late).rejects.toMatchObject({
      code: 'ERR_DEADLINE',
      message: 'expected the item to begin within 5 ms but it still waited',
    });
    await vi.advanceTimersByTimeAsync(60);
    await refused;
    await Promise.all([first, patient]);
    expect(values()).toEqual([[1], [3]]);
    expect(batcher.stats()).toMatchObject({ expired: 1, waiting: 0 });
  });

  it('lets an item that has begun come through after its deadline', async () => {
    const batcher = new Batcher(timed().runner);
    const done = batcher.submit(one(1), { deadline: 5 });
    await vi.advanceTimersByTimeAsync(20);
    await expect(done).resolves.toHaveProperty('y');
  });

  it('takes an aborted item out of the line', async () => {
    const { runner, values } = timed();
    const batcher = new Batcher(runner, { maxBatch: 1 });
    const abort = new AbortController();
    const first = batcher.submit(one(1));
    const given = batcher.submit(one(2), { signal: abort.signal });
    const refused = expect(given).rejects.toThrow('never mind');
    await vi.advanceTimersByTimeAsync(1);
    abort.abort(new Error('never mind'));
    expect(batcher.stats().waiting).toBe(0);
    await vi.advanceTimersByTimeAsync(30);
    await Promise.all([first, refused]);
    expect(values()).toEqual([[1]]);
  });

  it('ends a run only when nobody waits for it any more', async () => {
    const { runner, signals } = timed();
    const batcher = new Batcher(runner);
    const aborts = [new AbortController(), new AbortController()];
    const all = aborts.map(({ signal }, i) => batcher.submit(one(i), { signal }));
    const settled = Promise.allSettled(all);
    await vi.advanceTimersByTimeAsync(2);
    aborts[0]?.abort(new Error('first'));
    expect(signals[0]?.aborted).toBe(false);
    aborts[1]?.abort(new Error('second'));
    expect(signals[0]?.aborted).toBe(true);
    await vi.advanceTimersByTimeAsync(20);
    expect(await settled).toMatchObject([
      { reason: { message: 'first' } },
      { reason: { message: 'second' } },
    ]);
  });

  it('aborts what runs and what waits with the signal of the batcher', async () => {
    const abort = new AbortController();
    const batcher = new Batcher(timed().runner, { maxBatch: 1, signal: abort.signal });
    const settled = Promise.allSettled([1, 2].map((value) => batcher.submit(one(value))));
    await vi.advanceTimersByTimeAsync(2);
    abort.abort(new Error('stop'));
    await vi.advanceTimersByTimeAsync(20);
    expect(await settled).toMatchObject([{ reason: { message: 'stop' } }, { reason: { message: 'stop' } }]);
  });

  it('settles items of one shape and priority in order of submission', async () => {
    const batcher = new Batcher(timed().runner, { maxBatch: 3 });
    const order: number[] = [];
    const all = Array.from({ length: 10 }, (_, i) => batcher.submit(one(i)).then(() => order.push(i)));
    await vi.advanceTimersByTimeAsync(100);
    await Promise.all(all);
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it.each([[{ priority: Number.NaN }], [{ deadline: 'soon' }], [{ deadline: -1 }]])(
    'refuses %o',
    (options) => {
      expect(() => new Batcher(timed().runner).submit(one(1), options)).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' }),
      );
    },
  );
});
