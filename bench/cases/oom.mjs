// The promise: in a group of the kernel that is too small for the naive program, ours finishes with the results it
// has without a limit.
import { readdirSync } from 'node:fs';
import { KINDS, kindOf, largePhotosOf } from '../harness/large-photos.mjs';
import { drawMemory } from '../harness/memory-chart.mjs';
import { compareResults, LIMITS_MB, linkedFolder, runNaive, runOurs, whyNoJob } from '../harness/oom-job.mjs';

/**
 * @typedef {import('../harness/types.js').Context} Context
 * @typedef {import('../harness/oom-job.mjs').Result} Result
 * @typedef {import('../harness/oom-job.mjs').Ended} Ended
 * @typedef {{ root: string, limit: number, runs: number, reference: Result[], name: string }} Job
 */

const MB = 1e6;
/** The share of its limit that spillway takes unless told. */
const SHARE = 0.75;
/** What one would write on two cores without looking at memory. */
const NAIVE = { batch: 8, concurrency: 4 };
const ALONE = { batch: 1, concurrency: 1 };
const NO_LIMIT = Number.POSITIVE_INFINITY;

/**
 * Runs of each limit, 200 in all, and the photos of each, of which the naive program is killed by the first dozen;
 * `watch-oom.mjs` takes 300. @param {boolean} quick
 */
const sizes = (quick) => (quick ? { runs: 2, photos: 30 } : { runs: 67, photos: 60 });

/** The same job, killed where it is naive. @param {number} limitMB */
const survives = (limitMB) => ({
  measures: [
    {
      name: `${limitMB}`,
      metric: 'kills',
      better: 'lower',
      target: { limit: { name: 'bound', value: 0 }, atLeast: { naive: 1 } },
    },
    {
      name: `${limitMB}.different`,
      metric: 'results that differ from a run without a limit',
      key: 'different',
      better: 'lower',
      target: { limit: { name: 'bound', value: 0 } },
    },
    {
      name: `${limitMB}.delivered`,
      metric: '% of the photos',
      key: 'delivered',
      better: 'higher',
      target: { atLeast: { alone: 1 } },
    },
  ],
  // It counts by itself: a median would hide a kill.
  runs: 1,
  limitMs: 14_400_000,
  skip: whyNoJob,
  data: async (/** @type {Context} */ { quick }) => {
    const { runs, photos } = sizes(quick);
    const root = await largePhotosOf(photos);
    const { results: reference } = await runOurs({ root, limit: NO_LIMIT });
    return {
      root,
      limit: limitMB * MB,
      runs,
      reference,
      name: `oom.cgroup.${limitMB}`,
      label: `${runs} runs over ${photos} large photos in ${limitMB} MB; alone: kinds of which the naive program survives one in ${limitMB * SHARE} MB`,
    };
  },
  sides: {
    ours: {
      fresh: true,
      open: async (/** @type {Job} */ job) => ({
        async run() {
          const values = { kills: 0, different: 0, delivered: 100 };
          for (let i = 0; i < job.runs; i++) {
            const ended = await runOurs({ root: job.root, limit: job.limit, watched: i === 0 });
            const { delivered, wrong } = report(job, `run ${i + 1}`, ended);
            values.kills += ended.kills;
            values.different += ended.kills > 0 ? 0 : wrong.length;
            values.delivered = Math.min(values.delivered, (100 * delivered) / job.reference.length);
          }
          return { values };
        },
      }),
    },
    naive: {
      fresh: true,
      open: async (/** @type {Job} */ { root, limit, runs, name }) => ({
        async run() {
          for (let i = 0; i < runs; i++) {
            const ended = await runNaive({ root, limit, ...NAIVE, watched: i === 0 });
            if (i === 0) draw(`${name}.naive`, 'the naive program', ended);
            if (ended.kills === 0)
              throw new Error(`${name}: the naive program survived, so this job proves nothing`);
          }
          return { values: { kills: runs } };
        },
      }),
    },
    alone: {
      fresh: true,
      open: async (/** @type {Job} */ { root, limit }) => ({
        async run() {
          const files = readdirSync(root);
          let fitting = 0;
          for (const { kind } of KINDS) {
            const ofKind = files.filter((file) => kindOf(file) === kind);
            if (await fitsAlone(root, ofKind[0], limit * SHARE)) fitting += ofKind.length;
          }
          return { values: { delivered: (100 * fitting) / files.length } };
        },
      }),
    },
  },
});

/** Whether the naive program, given this photo and no other, survives. @param {string} root @param {string | undefined} photo @param {number} limit */
async function fitsAlone(root, photo, limit) {
  const one = linkedFolder(root, 'alone', (file) => file === photo);
  return (await runNaive({ root: one, limit, ...ALONE })).kills === 0;
}

/** Says on standard error what a person would ask of a run that was not perfect. @param {Job} job @param {string} which @param {Ended} ended */
function report({ name, reference, limit }, which, ended) {
  const compared = compareResults(ended.results, reference);
  const { delivered, refused, wrong } = compared;
  if (ended.seen.length > 0) draw(name, 'spillway run', ended);
  const what = ended.kills > 0 ? 'killed by the kernel' : `ended with ${ended.code}`;
  console.error(
    `${name} ${which}: ${what} after ${Math.round(ended.ms / 1000)} s, at most ${Math.round(ended.peak / MB)} of ${limit / MB} MB charged; ` +
      `${delivered} delivered, ${refused.length} refused (${kindsOf(refused.map(({ path }) => path))})` +
      (wrong.length > 0 ? `, ${wrong.length} wrong (${kindsOf(wrong)})` : ''),
  );
  return compared;
}

/** @param {readonly string[]} paths */
function kindsOf(paths) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const file of paths) counts.set(kindOf(file), (counts.get(kindOf(file)) ?? 0) + 1);
  return [...counts].map(([kind, count]) => `${count} ${kind}`).join(', ');
}

/** @param {string} name @param {string} who @param {Ended} ended */
function draw(name, who, { seen, booked, kills }) {
  const last = seen.at(-1);
  drawMemory(name, {
    title: kills > 0 ? `${who}, killed` : who,
    seen,
    booked,
    ...(kills > 0 && last && { marks: [{ at: last.at, text: 'killed by the kernel' }] }),
  });
}

export const cases = [{ name: 'oom.cgroup', contests: LIMITS_MB.map(survives) }];
