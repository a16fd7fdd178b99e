// The photos job as a whole: cold beside the naive program, and again from the store.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { DATA, scratchFolder } from '../harness/data-sets.mjs';
import { photosOf } from '../harness/photos.mjs';
import { runNode, runSpillway } from '../harness/programs.mjs';
import { median } from '../harness/statistics.mjs';

/** @typedef {import('../harness/types.js').Context} Context */

const fileAt = (/** @type {string} */ relative) => fileURLToPath(new URL(relative, import.meta.url));
const NAIVE = fileAt('../naive/photos.mjs');
const LIBRARIES = fileAt('../baselines/libraries.mjs');
const LOOKUP = fileAt('../baselines/lookup.mjs');
const MODEL = fileAt('../../models/photo-features.onnx');

/** Results in order of their paths, without what may differ: whether they came from the store. @param {string} file */
function resultsIn(file) {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))
    .map(({ cached, ...result }) => result)
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** @param {readonly unknown[]} results */
function digest(results) {
  const hash = createHash('sha256');
  for (const result of results) hash.update(JSON.stringify(result));
  return { results: results.length, sha256: hash.digest('hex') };
}

/**
 * A program that writes its results to a file, in a folder that is thrown away.
 * @param {(out: string, scratch: string) => Promise<{ ms: number, peakMB: number }>} program
 * @param {{ librariesMB: number }} data
 */
async function timed(program, { librariesMB }) {
  const scratch = scratchFolder('photos');
  try {
    const out = path.join(scratch, 'out.jsonl');
    const { ms, peakMB } = await program(out, scratch);
    return { values: { ms, MB: peakMB - librariesMB }, result: digest(resultsIn(out)) };
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/** @typedef {{ root: string, batch: number, concurrency: number, librariesMB: number }} Cold */

/** The batch and the number of photos decoded at once with which the naive program is fastest. @param {Context} context */
async function sweepNaive({ quick, cores }) {
  const root = await photosOf(quick ? 48 : 300);
  const batches = quick ? [8] : [4, 8, 16, 32];
  let best = { batch: 0, concurrency: 0, ms: Number.POSITIVE_INFINITY };
  for (const batch of batches)
    for (const concurrency of [cores, 2 * cores]) {
      const times = [];
      for (let i = 0; i < (quick ? 1 : 3); i++) times.push((await naive(root, batch, concurrency)).values.ms);
      if (median(times) < best.ms) best = { batch, concurrency, ms: median(times) };
    }
  return { batch: best.batch, concurrency: best.concurrency };
}

/** @param {string} root @param {number} batch @param {number} concurrency @param {number} [librariesMB] */
const naive = (root, batch, concurrency, librariesMB = 0) =>
  timed((out) => runNode([NAIVE, root, out, MODEL, String(batch), String(concurrency)]), { librariesMB });

const oursCold = async (/** @type {Cold} */ data) => ({
  run: () =>
    timed(
      (out, scratch) => runSpillway(['run', data.root, '--out', out, '--cache', path.join(scratch, 'cache')]),
      data,
    ),
});

const cold = {
  measures: [
    { metric: 'ms', better: 'lower', target: { atLeast: { naive: 1.15 } } },
    { name: 'memory', metric: 'MB', better: 'lower', target: { atLeast: { naive: 2 } } },
  ],
  data: async (/** @type {Context} */ context) => {
    const count = context.quick ? 150 : 2000;
    const root = await photosOf(count);
    const { batch, concurrency } = await sweepNaive(context);
    const { now } = JSON.parse((await runNode([LIBRARIES, MODEL])).stdout);
    return {
      root,
      batch,
      concurrency,
      librariesMB: now,
      label: `${count} photos of 640×480; naive at batch ${batch}, ${concurrency} decoded at once; memory above ${Math.round(now)} MB of libraries`,
    };
  },
  sides: {
    ours: { fresh: true, open: oursCold },
    naive: {
      fresh: true,
      open: async (/** @type {Cold} */ { root, batch, concurrency, librariesMB }) => ({
        run: () => naive(root, batch, concurrency, librariesMB),
      }),
    },
    'spillway-js': {
      fresh: true,
      env: { SPILLWAY_NATIVE: 'off' },
      open: async (/** @type {Cold} */ data) => ({
        async run() {
          const { values, result } = await (await oursCold(data)).run();
          // Its engine is a child process, whose memory is not in the peak.
          return { values: { ms: values.ms }, result };
        },
      }),
    },
  },
};

/** @typedef {{ root: string, cache: string, database: string }} Second */

/** A bare database of the results in `file`, by identity. @param {string} file @param {string} database */
async function fillDatabase(file, database) {
  const { default: Database } = await import('better-sqlite3');
  const db = new Database(database);
  db.pragma('journal_mode = WAL');
  db.exec('CREATE TABLE results (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID');
  const insert = db.prepare('INSERT INTO results VALUES (?, ?)');
  db.transaction(() => {
    for (const result of resultsIn(file)) {
      const { dev, ino, size, mtimeNs, ctimeNs } = statSync(result.path, { bigint: true });
      insert.run(`${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`, JSON.stringify(result));
    }
  })();
  db.close();
}

const second = {
  measures: [{ metric: 'ms', better: 'lower', target: { limit: 'scan.stat+better-sqlite3', atMost: 3 } }],
  skip: async () => {
    try {
      const { default: Database } = await import('better-sqlite3');
      new Database(':memory:').close();
      return undefined;
    } catch (error) {
      return `the limit needs better-sqlite3: ${error instanceof Error ? error.message.split('\n')[0] : error}`;
    }
  },
  data: async (/** @type {Context} */ { quick }) => {
    const count = quick ? 150 : 10_000;
    const root = await photosOf(count);
    const folder = path.join(DATA, `second-${count}`);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    const cache = path.join(folder, 'cache');
    const out = path.join(folder, 'out.jsonl');
    await runSpillway(['run', root, '--out', out, '--cache', cache]);
    const database = path.join(folder, 'bare.db');
    await fillDatabase(out, database);
    return { root, cache, database, label: `${count} photos of 640×480, all in the store; whole programs` };
  },
  sides: {
    ours: {
      fresh: true,
      open: async (/** @type {Second} */ { root, cache }) => {
        const scratch = scratchFolder('again');
        const out = path.join(scratch, 'out.jsonl');
        const again = () => runSpillway(['run', root, '--out', out, '--cache', cache]);
        return {
          async check() {
            await again();
            return digest(resultsIn(out));
          },
          async run() {
            const { ms } = await again();
            const cached = readFileSync(out, 'utf8').split('"cached":true').length - 1;
            return { values: { ms }, result: cached };
          },
          close: () => rmSync(scratch, { recursive: true }),
        };
      },
    },
    'scan.stat+better-sqlite3': {
      fresh: true,
      open: async (/** @type {Second} */ { root, database }) => ({
        async check() {
          const { stdout } = await runNode([LOOKUP, root, database, 'digest']);
          const results = JSON.parse(stdout).map((/** @type {[string, string]} */ [, value]) =>
            JSON.parse(value),
          );
          return digest(results.sort((a, b) => (a.path < b.path ? -1 : 1)));
        },
        async run() {
          const { ms, stdout } = await runNode([LOOKUP, root, database]);
          return { values: { ms }, result: JSON.parse(stdout).files };
        },
      }),
    },
  },
};

export const cases = [
  { name: 'e2e.photos.cold', contests: [cold] },
  { name: 'e2e.photos.second', contests: [second] },
];
