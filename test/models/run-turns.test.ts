// Whose turn it is among the runs of all models of the process.
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { afterAll, describe, expect, it } from 'vitest';
import type { LoadOptions } from '../../src/models/load-options.js';
import type { Model, RunOptions } from '../../src/models/model.js';
import { ModelCache } from '../../src/models/model-cache.js';
import { native } from '../../src/native/load.js';
import { chainGraph, ones } from '../support/graphs.js';
import { overNative } from '../support/paths.js';

const WIDTH = 256;
const CORES = native().cores();
/** Some tens of milliseconds on one core; another seed is another model. */
const graph = (seed: number, layers = 40) => chainGraph({ layers, width: WIDTH, seed });
const feeds = () => ({ x: ones(WIDTH, WIDTH) });

/** Runs models, and remembers in which order the runs settled. */
function recorder() {
  const order: string[] = [];
  const runs: Promise<unknown>[] = [];
  return {
    order,
    run(name: string, model: Model, options?: RunOptions) {
      const run = model.run(feeds(), options).then(
        () => order.push(name),
        (error: unknown) => {
          order.push(`${name} failed`);
          throw error;
        },
      );
      run.catch(() => undefined);
      runs.push(run);
      return run;
    },
    done: () => Promise.allSettled(runs),
  };
}

describe.each(overNative ? (['native', 'stock'] as const) : (['stock'] as const))(
  'runs of the %s engine',
  (engine) => {
    const models = new ModelCache({ engine, device: 'cpu', threads: CORES });
    afterAll(() => models.close());

    it('go by priority among all models, and equals in the order of coming', async () => {
      using busy = await models.acquire(graph(3, 300));
      using one = await models.acquire(graph(1));
      using two = await models.acquire(graph(2));
      const { order, run, done } = recorder();
      run('a', busy);
      for (const name of ['b', 'c', 'd']) run(name, one);
      run('low', two, { priority: -1 });
      run('high', two, { priority: 2 });
      run('higher', one, { priority: 3 });
      await done();
      // The stock engine has been given the next one already.
      const begun = engine === 'native' ? ['a'] : ['a', 'b'];
      const rest = ['a', 'b', 'c', 'd'].filter((name) => !begun.includes(name));
      expect(order).toEqual([...begun, 'higher', 'high', ...rest, 'low']);
    });

    it('grow older: one that waited long is not passed by what is more urgent by little', async () => {
      using busy = await models.acquire(graph(3, 300));
      using one = await models.acquire(graph(1));
      using two = await models.acquire(graph(2));
      const { order, run, done } = recorder();
      let over = false;
      const stream = async () => {
        while (!over) await run('', busy, { priority: 100 });
      };
      // Some of them always wait, also while this thread is slow, and nothing else begins meanwhile.
      const streams = Array.from({ length: 4 }, stream);
      run('old', two);
      await sleep(1200);
      run('urgent by one', two, { priority: 1 });
      run('urgent by three', one, { priority: 3 });
      over = true;
      await Promise.all(streams);
      await done();
      expect(order.filter((name) => name !== '')).toEqual(['urgent by three', 'old', 'urgent by one']);
    });

    it('leave the line when they are cancelled', async () => {
      using one = await models.acquire(graph(1, 1000));
      const { order, run, done } = recorder();
      const abort = new AbortController();
      for (const name of ['a', 'b', 'c']) run(name, one);
      await sleep(1);
      const given = run('given up', one, { priority: -1, signal: abort.signal });
      abort.abort(new Error('never mind'));
      await expect(given).rejects.toThrow('never mind');
      expect(order).toEqual(['given up failed']);
      await done();
      expect(order).toEqual(['given up failed', 'a', 'b', 'c']);
    });

    it.each([Number.NaN, Number.POSITIVE_INFINITY])('refuse %d as a priority', async (priority) => {
      using one = await models.acquire(graph(1));
      const refused = {
        code: 'ERR_INVALID_ARGUMENT',
        message: expect.stringMatching(/a finite number for priority/),
      };
      await expect(one.run(feeds(), { priority })).rejects.toMatchObject(refused);
      if (one.runRows) await expect(one.runRows(feeds(), WIDTH, { priority })).rejects.toMatchObject(refused);
    });
  },
);

describe.runIf(overNative)('the cores', () => {
  const models = new ModelCache({ engine: 'native', device: 'cpu', threads: 1 });
  afterAll(() => models.close());
  const acquire = (seed: number, options: LoadOptions = {}, layers?: number) =>
    models.acquire(graph(seed, layers), options);

  it('are never given to more runs than there are of them, whatever the sessions', async () => {
    const long = await Promise.all(Array.from({ length: CORES }, (_, i) => acquire(i + 1, {}, 120)));
    using short = await acquire(9, { concurrency: 8 }, 1);
    const { order, run, done } = recorder();
    for (const model of long) run('long', model);
    for (let i = 0; i < 3; i++) run('short', short);
    await done();
    expect(order[0]).toBe('long');
    for (const model of long) model[Symbol.dispose]();
  });

  it('are all taken by a run on all of them', async () => {
    using wide = await acquire(1, { threads: CORES }, 120);
    using narrow = await acquire(2, {}, 1);
    const { order, run, done } = recorder();
    run('wide', wide);
    run('narrow', narrow);
    await done();
    expect(order).toEqual(['wide', 'narrow']);
  });

  it('are had even by a run that asks for more of them than there are', async () => {
    using wide = await acquire(1, { threads: CORES + 3 });
    await expect(wide.run(feeds())).resolves.toHaveProperty('y');
  });

  it('come to a run that wants them all while a stream of small ones goes on', async () => {
    using wide = await acquire(1, { threads: CORES });
    using narrow = await acquire(2, { concurrency: CORES }, 20);
    let over = false;
    let begun = 0;
    const stream = async () => {
      for (; !over; begun++) await narrow.run(feeds());
    };
    // More than run at a time: some always wait, and the cores are never all free by themselves.
    const streams = Array.from({ length: 4 * CORES }, stream);
    while (begun < 2 * streams.length) await sleep(1);
    const before = begun;
    await wide.run(feeds());
    const passed = begun - before;
    over = true;
    await Promise.all(streams);
    // Those that had come before it, and those that came once it had ended.
    expect(passed).toBeLessThan(3 * streams.length);
  });

  it('come to those behind a run that gives up its place', async () => {
    using long = await acquire(1, {}, 1000);
    using wide = await acquire(2, { threads: CORES });
    using short = await acquire(3, {}, 1);
    const { order, run, done } = recorder();
    const abort = new AbortController();
    run('long', long);
    run('wide', wide, { signal: abort.signal });
    run('short', short);
    abort.abort(new Error('never mind'));
    await done();
    // With one core the long run has it.
    const succeeded = order.filter((name) => name !== 'wide failed');
    expect(succeeded).toEqual(CORES > 1 ? ['short', 'long'] : ['long', 'short']);
  });

  it('are shared with other threads, and given back by one that is terminated while its runs wait', async () => {
    using own = await acquire(1, { threads: CORES });
    const dist = JSON.stringify(new URL('../../dist/models/model-cache.js', import.meta.url).href);
    const source = `import { parentPort, workerData } from 'node:worker_threads';
      import { ModelCache } from ${dist};
      const models = new ModelCache({ engine: 'native', device: 'cpu', threads: ${CORES} });
      const model = await models.acquire(workerData);
      const x = { type: 'float32', dims: [${WIDTH}, ${WIDTH}], data: new Float32Array(${WIDTH ** 2}).fill(1) };
      const runs = Array.from({ length: 20 }, (_, priority) => model.run({ x }, { priority }));
      parentPort.postMessage('begun');
      await Promise.all(runs);
      parentPort.postMessage('ended');`;
    const url = new URL(`data:text/javascript,${encodeURIComponent(source)}`);
    const worker = new Worker(url, { workerData: graph(2, 120) });
    let ended = false;
    await once(worker, 'message');
    worker.on('message', () => {
      ended = true;
    });
    await own.run(feeds(), { priority: 1000 });
    expect(ended).toBe(false);
    const behind = own.run(feeds(), { priority: -1000 });
    await worker.terminate();
    await behind;
    expect(ended).toBe(false);
    await own.run(feeds());
  });
});
