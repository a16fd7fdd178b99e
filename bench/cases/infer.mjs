// Inference: what it does to the event loop, and two streams at once beside the best single one.
import { rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { scratchFolder } from '../harness/data-sets.mjs';
import { fingerprint, openOurs, openStock } from '../harness/engines.mjs';
import { feed, mlpFile, slowFile } from '../harness/graphs.mjs';
import { photosOf } from '../harness/photos.mjs';
import { median } from '../harness/statistics.mjs';

/** @typedef {import('../harness/types.js').Context} Context */

const needsAddon = (/** @type {Context} */ { native }) =>
  native ? undefined : 'inference off the JavaScript thread needs the native addon';

/** The longest time between two turns of a 1 ms timer while `work` goes on. @param {() => Promise<unknown>} work */
async function longestGap(work) {
  let longest = 0;
  let last = performance.now();
  const tick = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  };
  const timer = setInterval(tick, 1);
  await work();
  tick();
  clearInterval(timer);
  return longest;
}

const SLOW_ROWS = 4;
const SLOW_WIDTH = 256;

/** @param {typeof openOurs} openEngine */
const gapSide =
  (openEngine) =>
  async (/** @type {{ model: string, threads: number }} */ { model, threads }) => {
    const engine = await openEngine(model, threads);
    const x = feed(SLOW_ROWS, SLOW_WIDTH);
    return {
      async run() {
        /** @type {Float32Array | undefined} */
        let y;
        const start = performance.now();
        const gap = await longestGap(async () => {
          y = await engine.run(x);
        });
        const ms = performance.now() - start;
        if (ms < 100) throw new Error(`expected a run of at least 100 ms but it took ${ms}`);
        return { values: { gap }, result: fingerprint(/** @type {Float32Array} */ (y)) };
      },
      close: () => engine.close(),
    };
  };

const gap = {
  measures: [
    {
      name: 'gap',
      metric: 'ms',
      key: 'gap',
      better: 'lower',
      target: { atLeast: { 'onnxruntime-node': 10 } },
    },
  ],
  skip: needsAddon,
  data: async () => ({
    model: await slowFile(),
    threads: availableParallelism(),
    label: `a graph of 1000 nodes, ${SLOW_ROWS} rows`,
  }),
  sides: {
    ours: { open: gapSide(openOurs) },
    'onnxruntime-node': { open: gapSide(openStock), package: 'onnxruntime-node' },
  },
};

/** The whole photos job; the delay of a 1 ms timer, which no answer to a user can undercut. */
const job = {
  measures: [
    {
      name: 'p99',
      metric: 'ms',
      key: 'p99',
      better: 'lower',
      target: { limit: { name: 'bound', value: 10 } },
    },
  ],
  skip: needsAddon,
  data: async (/** @type {Context} */ { quick }) => {
    const count = quick ? 100 : 2000;
    return { root: await photosOf(count), label: `${count} photos` };
  },
  sides: {
    ours: {
      fresh: true,
      open: async (/** @type {{ root: string }} */ { root }) => ({
        async run() {
          const { scan, Spillway, workloads } = await import('../../dist/index.js');
          const histogram = monitorEventLoopDelay({ resolution: 1 });
          const cacheDir = scratchFolder('loop');
          const spillway = await Spillway.open({ cacheDir });
          let files = 0;
          histogram.enable();
          for await (const result of spillway.run(scan(root, { stat: true }), workloads.photos()))
            if (!('error' in result)) files++;
          histogram.disable();
          await spillway.close();
          rmSync(cacheDir, { recursive: true });
          return { values: { p99: histogram.percentile(99) / 1e6 }, result: files };
        },
      }),
    },
  },
};

const MLP = { layers: 6, width: 1024 };
const MLP_ROWS = 16;
const WEIGHTS_MB = (MLP.layers * (MLP.width * MLP.width + MLP.width) * 4) / 1e6;

/**
 * Rows a second of `streams` loops that share an engine, each waiting for its own runs only; `ahead`: how many it hands
 * over before it waits for the one before them.
 * @param {import('../harness/engines.mjs').Engine} engine @param {number} streams @param {number} runs of all streams
 * @param {number} ahead
 */
async function throughput(engine, streams, runs, ahead) {
  const x = feed(MLP_ROWS, MLP.width);
  let left = runs;
  let peakBytes = 0;
  /** @type {Float32Array | undefined} */
  let y;
  const stream = async () => {
    /** @type {Promise<Float32Array>[]} */
    const inFlight = [];
    for (;;) {
      while (inFlight.length <= ahead && left > 0) {
        left--;
        inFlight.push(engine.run(x));
      }
      const next = inFlight.shift();
      if (!next) return;
      y = await next;
      peakBytes = Math.max(peakBytes, engine.bytes?.() ?? 0);
    }
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: streams }, stream));
  const seconds = (performance.now() - start) / 1000;
  return {
    rate: (runs * MLP_ROWS) / seconds,
    peakBytes,
    result: fingerprint(/** @type {Float32Array} */ (y)),
  };
}

/** The number of threads with which one stream is fastest. @param {StreamData} data */
async function bestThreads({ model, cores, runs, ahead }) {
  const rates = [];
  for (let threads = 1; threads <= cores; threads++) {
    const engine = await openStock(model, threads);
    await throughput(engine, 1, Math.ceil(runs / 10), ahead);
    const thrice = [];
    for (let i = 0; i < 3; i++) thrice.push((await throughput(engine, 1, Math.ceil(runs / 4), ahead)).rate);
    rates.push(median(thrice));
    await engine.close();
  }
  return rates.indexOf(Math.max(...rates)) + 1;
}

/** @typedef {{ model: string, cores: number, runs: number, ahead: number }} StreamData */

/** @param {string | undefined} name @param {number} ahead @param {string} label @returns {import('../harness/types.js').Contest<StreamData>} */
const streams = (name, ahead, label) => ({
  measures: [
    { name, metric: 'rows/s', better: 'higher', target: { atLeast: { 'best-single-stream': 1 } } },
    {
      name: [name, 'memory'].filter(Boolean).join('.'),
      metric: 'MB',
      better: 'lower',
      target: { limit: { name: 'weights', value: WEIGHTS_MB }, atMost: 1.1 },
    },
  ],
  skip: needsAddon,
  data: async (/** @type {Context} */ { quick, cores }) => ({
    model: await mlpFile(MLP),
    cores,
    runs: quick ? 60 : 400,
    ahead,
    label: `mlp ${MLP.layers}×${MLP.width}, batches of ${MLP_ROWS}, two streams${label}`,
  }),
  sides: {
    ours: {
      async open(/** @type {StreamData} */ { model, cores, runs, ahead }) {
        // A run takes all cores and the other stream's is next in line; two runs on one core each miss more caches.
        const engine = await openOurs(model, cores);
        return {
          async run() {
            const { rate, peakBytes, result } = await throughput(engine, 2, runs, ahead);
            return { values: { 'rows/s': rate, MB: peakBytes / 1e6 }, result };
          },
          close: () => engine.close(),
        };
      },
    },
    'best-single-stream': {
      async open(/** @type {StreamData} */ data) {
        const engine = await openStock(data.model, await bestThreads(data));
        return {
          async run() {
            const { rate, result } = await throughput(engine, 1, data.runs, data.ahead);
            return { values: { 'rows/s': rate }, result };
          },
          close: () => engine.close(),
        };
      },
    },
  },
});

export const cases = [
  { name: 'infer.loop', contests: [gap, job] },
  {
    name: 'infer.streams',
    // Where each stream waits for its runs, the line may be empty for a turn of JavaScript; one run ahead it is not.
    contests: [streams(undefined, 0, ''), streams('ahead', 1, ', each one run ahead')],
  },
];
