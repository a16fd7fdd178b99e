// How fast the job is in a group that is too small for it, beside the best that a person finds by trying.
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { kindOf, largePhotosOf } from '../harness/large-photos.mjs';
import { LIMITS_MB, linkedFolder, runNaive, runOurs, whyNoJob } from '../harness/oom-job.mjs';

/**
 * @typedef {import('../harness/types.js').Context} Context
 * @typedef {import('../harness/oom-job.mjs').Result} Result
 * @typedef {import('../harness/oom-job.mjs').Ended} Ended
 */

const MB = 1e6;
/** Of the limit: what needs more of it is delivered by one run and refused by the next. */
const EDGE = 0.95;
/** A setting that was survived once may not be survived each time. */
const MOST_ATTEMPTS = 10;

/** @typedef {{ root: string, limit: number, photos: number, tuned: Tuned }} Speed */
/** @typedef {{ who: 'naive', batch: number, concurrency: number } | { who: 'ours', workers: number }} Tuned */

/** Ours beside the best that a person finds by trying, over kinds of which ours delivers every photo in a little less. @param {number} limitMB */
const throughput = (limitMB) => ({
  measures: [
    {
      name: `${limitMB}.throughput`,
      metric: 'photos/s',
      better: 'higher',
      target: { atLeast: { tuned: 0.7 } },
    },
  ],
  limitMs: 3_600_000,
  skip: whyNoJob,
  data: async (/** @type {Context} */ { quick, cores }) => {
    const all = await largePhotosOf(quick ? 30 : 90);
    const limit = limitMB * MB;
    const { results } = await runOurs({ root: all, limit: EDGE * limit });
    const refused = new Set(results.filter(({ error }) => error).map((result) => kindOf(result.path)));
    const root = linkedFolder(all, `throughput-${limitMB}`, (file) => !refused.has(kindOf(file)));
    const photos = readdirSync(root).length;
    const tuned = await tune(root, limit, cores);
    const how =
      tuned.who === 'naive'
        ? `tuned: the naive program at batch ${tuned.batch}, ${tuned.concurrency} decoded at once`
        : `tuned: no setting of the naive program survives, so spillway with --workers ${tuned.workers}`;
    return { root, limit, tuned, photos, label: `${photos} large photos in ${limitMB} MB; ${how}` };
  },
  sides: {
    ours: {
      fresh: true,
      open: async (/** @type {Speed} */ { root, limit, photos }) => ({
        run: () => sampleOf(() => runOurs({ root, limit }), photos),
      }),
    },
    tuned: {
      fresh: true,
      open: async (/** @type {Speed} */ { root, limit, photos, tuned }) => ({
        run: () => sampleOf(() => runTuned(root, limit, tuned), photos),
      }),
    },
  },
});

/** @param {string} root @param {number} limit @param {Tuned} tuned */
const runTuned = (root, limit, tuned) =>
  tuned.who === 'naive'
    ? runNaive({ root, limit, ...tuned })
    : runOurs({ root, limit, workers: tuned.workers });

/** The fastest setting that survives; of ours where none of the naive program does. @param {string} root @param {number} limit @param {number} cores @returns {Promise<Tuned>} */
async function tune(root, limit, cores) {
  /** @type {Tuned[]} */
  const naive = [1, cores, 2 * cores].flatMap((concurrency) =>
    [1, 4].map((batch) => ({ who: /** @type {const} */ ('naive'), batch, concurrency })),
  );
  /** @type {Tuned[]} */
  const ours = Array.from({ length: cores }, (_, i) => ({ who: 'ours', workers: i + 1 }));
  const best = (await fastest(root, limit, naive)) ?? (await fastest(root, limit, ours));
  if (!best) throw new Error('expected a setting that survives');
  return best;
}

/** @param {string} root @param {number} limit @param {readonly Tuned[]} settings */
async function fastest(root, limit, settings) {
  let best;
  for (const tuned of settings) {
    const { kills, ms } = await runTuned(root, limit, tuned);
    if (kills === 0 && ms < (best?.ms ?? Number.POSITIVE_INFINITY)) best = { tuned, ms };
  }
  return best?.tuned;
}

/**
 * Who is killed starts again, and the time until then counts.
 * @param {() => Promise<Ended>} start @param {number} photos
 */
async function sampleOf(start, photos) {
  let ms = 0;
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    const ended = await start();
    ms += ended.ms;
    if (ended.kills === 0)
      return { values: { 'photos/s': photos / (ms / 1000) }, result: digestOf(ended.results) };
  }
  throw new Error(`killed ${MOST_ATTEMPTS} times by a limit that it had survived`);
}

/** Features of all photos: the programs name some formats differently. @param {readonly Result[]} results */
function digestOf(results) {
  const hash = createHash('sha256');
  for (const { path: file, data } of [...results].sort((a, b) => (a.path < b.path ? -1 : 1)))
    hash.update(JSON.stringify([file, { ...data, format: undefined }]));
  return { results: results.length, sha256: hash.digest('hex') };
}

export const cases = [{ name: 'oom.cgroup.throughput', contests: LIMITS_MB.map(throughput) }];
