// The model cache: what sharing a loaded graph costs, what a disk beneath it saves, and what stays behind once work is over.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { GraphBuilder } from '../../scripts/make-model/graph-builder.mjs';
import { uniform } from '../../scripts/make-model/test-graphs.mjs';
import { dataSet } from '../harness/data-sets.mjs';
import { fingerprint, openOurs, openStock } from '../harness/engines.mjs';
import { attentionFile, mlpFile, convolutionsFile as stackFile } from '../harness/graphs.mjs';
import { residentMB } from '../harness/memory.mjs';

/** @typedef {import('../harness/types.js').Context} Context */

/** About as many weights as a ResNet-50 has. */
const SHARED = { layers: 6, width: 2048 };
const SHARED_MB = Math.round((SHARED.layers * SHARED.width ** 2 * 4) / 1e6);
const HITS = 100;

/**
 * Times `HITS` acquisitions, or one, of a graph by its path.
 * @param {boolean} loads each time anew
 */
const acquisitions = (loads) => ({
  open: async (/** @type {{ model: string }} */ { model }) => {
    const { ModelCache } = await import('../../dist/index.js');
    const cache = new ModelCache({ device: 'cpu' });
    const acquire = async () => {
      const held = await cache.acquire(model);
      const { sha256 } = held;
      held[Symbol.dispose]();
      return sha256;
    };
    await acquire();
    return {
      async run() {
        const { loads: before } = cache.stats();
        const times = loads ? 1 : HITS;
        let sha256;
        let ms = 0;
        for (let i = 0; i < times; i++) {
          if (loads) cache.clear();
          const start = performance.now();
          sha256 = await acquire();
          ms += performance.now() - start;
        }
        if (cache.stats().loads !== before + (loads ? times : 0)) throw new Error('a hit was a load');
        return { values: { ms: ms / times }, result: sha256 };
      },
      close: () => cache.close(),
    };
  },
});

const hits = {
  measures: [{ metric: 'ms', better: 'lower', target: { atLeast: { load: 1000 } } }],
  data: async () => ({
    model: await mlpFile(SHARED),
    label: `a graph of ${SHARED_MB} MB by its path, mean of ${HITS} hits against a load`,
  }),
  sides: { ours: acquisitions(false), load: acquisitions(true) },
};

/** Loads after which the disk has proved its worth, or not. */
const VERDICT = 8;

/**
 * Times loads of a graph by its path, as after a restart but for what the system keeps of files.
 * @param {boolean} tiered with a disk
 */
const restarts = (tiered) => ({
  open: async (/** @type {{ model: string }} */ { model }) => {
    const { DiskCache, ModelCache } = await import('../../dist/index.js');
    const folder = mkdtempSync(path.join(tmpdir(), 'spillway-tier-'));
    const disk = tiered ? await DiskCache.open(folder) : undefined;
    const load = async () => {
      const cache = new ModelCache({ device: 'cpu', ...(disk && { disk }) });
      const start = performance.now();
      const { sha256 } = await cache.acquire(model);
      const ms = performance.now() - start;
      await cache.close();
      return { values: { ms }, result: sha256 };
    };
    for (let i = 0; i < VERDICT; i++) await load();
    return {
      run: load,
      async close() {
        await disk?.close();
        rmSync(folder, { recursive: true });
      },
    };
  },
});

/** @param {string} label @param {() => Promise<string>} file */
const disk = (label, file) => ({
  // Where the disk does not pay, a look-up is all that it costs.
  measures: [{ metric: 'ms', better: 'lower', target: { atLeast: { plain: 0.95 } } }],
  data: async () => ({ model: await file(), label: `loads of ${label}, against loads without a disk` }),
  sides: { ours: restarts(true), plain: restarts(false) },
});

const disks = [
  disk('six convolutions of 47 MB', () => stackFile({ layers: 6, channels: 512, side: 14 })),
  disk('four layers of attention', () => attentionFile({ length: 64, width: 128, layers: 4 })),
];

const BATCH = 64;
const SIDE = 56;
const CHANNELS = [3, 32, 64, 64];
/** The heap is trimmed soon after work, not during it. */
const IDLE_MS = 2000;

/** @typedef {{ model: string, batches: number, threads: number }} AfterData */

/** @param {typeof openOurs} openEngine */
const afterWork = (openEngine) => ({
  fresh: true,
  open: async (/** @type {AfterData} */ { model, batches, threads }) => ({
    async run() {
      const x = pictures();
      const engine = await openEngine(model, threads);
      await sleep(IDLE_MS);
      const loaded = residentMB().now;
      let result = 0;
      const start = performance.now();
      for (let i = 0; i < batches; i++) result = fingerprint(await engine.run(x));
      const seconds = (performance.now() - start) / 1000;
      await sleep(IDLE_MS);
      const { now } = residentMB();
      await engine.close();
      return { values: { MB: now - loaded, 'items/s': (batches * BATCH) / seconds }, result };
    },
  }),
});

const after = {
  measures: [
    { metric: 'MB', better: 'lower', target: { atLeast: { 'onnxruntime-node': 10 } } },
    {
      name: 'rate',
      metric: 'items/s',
      better: 'higher',
      target: { atLeast: { 'onnxruntime-node': 0.95 } },
    },
  ],
  skip: (/** @type {Context} */ { native }) =>
    native ? undefined : 'without the addon the stock engine is both sides',
  data: async (/** @type {Context} */ { quick }) => {
    const batches = quick ? 8 : 30;
    const layers = CHANNELS.length - 1;
    return {
      model: await convolutionsFile(),
      batches,
      threads: availableParallelism(),
      label: `idle after ${batches} batches of ${BATCH} through ${layers} convolutions, above loaded`,
    };
  },
  sides: {
    ours: afterWork(openOurs),
    'onnxruntime-node': { package: 'onnxruntime-node', ...afterWork(openStock) },
  },
};

/** `x` [n, 3, SIDE, SIDE] → `y` [n, classes]: its activations are far larger than its weights. */
async function convolutionsFile() {
  const folder = await dataSet(`model-convolutions-${SIDE}-${CHANNELS.join('-')}`, (to) => {
    const graph = new GraphBuilder();
    const random = uniform(11);
    let value = 'x';
    for (let layer = 1; layer < CHANNELS.length; layer++) {
      const [from = 0, channels = 0] = CHANNELS.slice(layer - 1);
      const kernel = Float32Array.from({ length: channels * from * 9 }, () => random() - 0.5);
      const weights = graph.constant('float32', [channels, from, 3, 3], kernel);
      value = graph.node('Relu', [graph.node('Conv', [value, weights], { pads: [1, 1, 1, 1] })]);
    }
    const mean = graph.node('ReduceMean', [value], { axes: [2, 3], keepdims: 0 });
    const x = { name: 'x', type: /** @type {const} */ ('float32'), dims: ['n', 3, SIDE, SIDE] };
    const y = { name: 'y', type: /** @type {const} */ ('float32'), dims: ['n', CHANNELS.at(-1) ?? 0] };
    writeFileSync(path.join(to, 'model.onnx'), graph.encode('convolutions', [x], [{ ...y, from: mean }]));
  });
  return path.join(folder, 'model.onnx');
}

/** A batch that is the same everywhere. */
function pictures() {
  const random = uniform(12);
  const data = Float32Array.from({ length: BATCH * 3 * SIDE * SIDE }, () => random());
  return { type: /** @type {const} */ ('float32'), dims: [BATCH, 3, SIDE, SIDE], data };
}

export const cases = [
  { name: 'model.cache', contests: [hits] },
  { name: 'model.cache.disk', contests: disks },
  { name: 'mem.after', contests: [after] },
];
