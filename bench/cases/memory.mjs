// Memory that is held, and memory that is given back: resident set of fresh processes.
import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { bigFile, bigFiles } from '../harness/contents.mjs';
import { scratchFolder } from '../harness/data-sets.mjs';
import { fingerprint, openStock } from '../harness/engines.mjs';
import { feed, mlpFile } from '../harness/graphs.mjs';
import { bareNodeMB, residentMB } from '../harness/memory.mjs';

/** @typedef {import('../harness/types.js').Context} Context */

/** Opens what there is, and waits until it is quiet. */
async function openEveryPart() {
  const { ByteCache, Spillway } = await import('../../dist/index.js');
  const { loadSharp } = await import('../../dist/extract/sharp.js');
  await loadSharp(); // what the photos workload decodes with, as it loads it
  const cacheDir = scratchFolder('idle');
  const spillway = await Spillway.open({ cacheDir });
  const cache = new ByteCache({ maxBytes: '64MB' });
  cache.set('key', Buffer.alloc(1024));
  const model = await spillway.models.acquire(
    new URL('../../models/photo-features.onnx', import.meta.url).pathname,
  );
  await sleep(1000);
  const close = async () => {
    model[Symbol.dispose]();
    cache.clear();
    await spillway.close();
    rmSync(cacheDir, { recursive: true });
  };
  return { spillway, close };
}

/** Every part open and none at work; above an empty ES module in a process of its own. */
const idle = {
  measures: [{ metric: 'MB', better: 'lower', target: { limit: { name: 'bound', value: 48 } } }],
  data: async () => ({ bareMB: bareNodeMB().now, label: 'every part open, above bare Node' }),
  sides: {
    ours: {
      fresh: true,
      open: async (/** @type {{ bareMB: number }} */ { bareMB }) => ({
        async run() {
          const { close } = await openEveryPart();
          const { now } = residentMB();
          await close();
          return { values: { MB: now - bareMB } };
        },
      }),
    },
  },
};

const RELOADED = { layers: 2, width: 2048 };
const RELOADED_MB = Math.round((RELOADED.layers * RELOADED.width ** 2 * 4) / 1e6);

/** @typedef {{ model: string, cycles: number }} ReloadData */

/**
 * Growth of the resident set from the end of the first cycle to the end of the last.
 * @param {(file: string) => Promise<{ cycle(): Promise<number>, close(): Promise<unknown> }>} open
 */
const reload = (open) => ({
  fresh: true,
  open: async (/** @type {ReloadData} */ { model, cycles }) => ({
    async run() {
      const { cycle, close } = await open(model);
      let result = await cycle();
      await sleep(200);
      const first = residentMB().now;
      for (let i = 1; i < cycles; i++) result = await cycle();
      await sleep(200);
      const last = residentMB().now;
      await close();
      return { values: { MB: last - first }, result };
    },
  }),
});

const x = feed(1, RELOADED.width);

const reloads = {
  measures: [{ metric: 'MB', better: 'lower', target: { limit: { name: 'bound', value: 2 } } }],
  data: async (/** @type {Context} */ { quick }) => {
    const cycles = quick ? 20 : 60;
    return {
      model: await mlpFile(RELOADED),
      cycles,
      label: `${cycles} cycles of load, run, release; ${RELOADED_MB} MB of weights`,
    };
  },
  sides: {
    ours: reload(async (file) => {
      const { ModelCache } = await import('../../dist/index.js');
      const cache = new ModelCache({ device: 'cpu' });
      return {
        async cycle() {
          const model = await cache.acquire(file);
          const { y } = await model.run({ x });
          model[Symbol.dispose]();
          cache.clear();
          return fingerprint(y.data);
        },
        close: () => cache.close(),
      };
    }),
    'onnxruntime-node': {
      package: 'onnxruntime-node',
      ...reload(async (file) => ({
        async cycle() {
          const session = await openStock(file, 2);
          const y = await session.run(x);
          await session.close();
          return fingerprint(y);
        },
        close: async () => undefined,
      })),
    },
  },
};

/** @typedef {{ root: string, megabytes: number, count: number }} Streamed */

/**
 * The peak while files go through the pipeline and are hashed, above the same process idle with every part open.
 * @param {{ name?: string, files?: number, boundMB: number, megabytes: { full: number, quick: number } }} how
 */
const streamed = ({ name, files = 1, boundMB, megabytes: { full, quick } }) => ({
  measures: [
    {
      ...(name !== undefined && { name }),
      metric: 'MB',
      better: 'lower',
      target: { limit: { name: 'bound', value: boundMB } },
    },
  ],
  data: async (/** @type {Context} */ context) => {
    const megabytes = context.quick ? quick : full;
    return {
      root: files === 1 ? await bigFile(megabytes) : await bigFiles(files, megabytes),
      megabytes,
      count: files,
      label: `${files === 1 ? '' : `${files} × `}${megabytes} MB through the metadata workload, above idle`,
    };
  },
  sides: {
    ours: {
      fresh: true,
      open: async (/** @type {Streamed} */ { root, megabytes, count }) => ({
        async run() {
          const { scan, workloads } = await import('../../dist/index.js');
          const { spillway, close } = await openEveryPart();
          const idleMB = residentMB().now;
          const results = [];
          for await (const result of spillway.run(scan(root, { stat: true }), workloads.metadata()))
            results.push(result);
          const { peak } = residentMB();
          await close();
          if (results.length !== count)
            throw new Error(`expected ${count} results but got ${results.length}`);
          for (const { size, error } of results)
            if (size !== megabytes * 1e6) throw new Error(error?.message ?? `${size} is a wrong size`);
          return { values: { MB: peak - idleMB }, result: results.map(({ sha256 }) => sha256).sort() };
        },
      }),
    },
  },
});

export const cases = [
  { name: 'mem.idle', contests: [idle] },
  { name: 'mem.reload', contests: [reloads] },
  {
    name: 'mem.file',
    contests: [
      streamed({ name: '500m', boundMB: 60, megabytes: { full: 500, quick: 50 } }),
      streamed({ name: '5g', boundMB: 60, megabytes: { full: 5000, quick: 500 } }),
    ],
  },
  {
    name: 'mem.batch',
    contests: [streamed({ files: 10, boundMB: 120, megabytes: { full: 500, quick: 50 } })],
  },
];
