// node bench/watch-oom.mjs [--limit 192MB] [--photos 300] [--workers n]: the naive program and then spillway over the
// same large photos, each in a memory group of the kernel. A line a second tells what is charged; root only.
import { parseArgs } from 'node:util';
import { parseSize } from '../dist/util/sizes.js';
import { whyNoGroups } from './harness/cgroup.mjs';
import { kindOf, largePhotosOf } from './harness/large-photos.mjs';
import { drawMemory } from './harness/memory-chart.mjs';
import { compareResults, runNaive, runOurs } from './harness/oom-job.mjs';

const MB = 1e6;
const NAIVE = { batch: 8, concurrency: 4 };

const { values } = parseArgs({
  options: {
    limit: { type: 'string', default: '192MB' },
    photos: { type: 'string', default: '300' },
    workers: { type: 'string' },
  },
});
const reason = whyNoGroups();
if (reason !== undefined) {
  console.error(`watch-oom: ${reason}`);
  process.exit(2);
}
const limit = parseSize(values.limit, '--limit');
const photos = Number(values.photos);
console.log(`making ${photos} large photos, unless they are there`);
const root = await largePhotosOf(photos);

tell('naive', await runNaive({ root, limit, ...NAIVE, watched: true, each: watch('naive') }));
const workers = values.workers === undefined ? {} : { workers: Number(values.workers) };
const ours = await runOurs({ root, limit, ...workers, watched: true, each: watch('spillway') });
tell('spillway', ours);
console.log('spillway without a limit, to compare');
const { results } = await runOurs({ root, limit: Number.POSITIVE_INFINITY });
const { delivered, refused, wrong } = compareResults(ours.results, results);
for (const { path, error } of refused) console.log(`refused: ${kindOf(path)}: ${error?.message}`);
console.log(
  `${delivered} of ${photos} the same as without a limit, ${refused.length} refused, ${wrong.length} not the same`,
);
process.exitCode = ours.kills === 0 && wrong.length === 0 ? 0 : 1;

/** A line a second. @param {string} who @returns {(group: import('./harness/cgroup.mjs').MemoryGroup) => void} */
function watch(who) {
  let second = 0;
  return (group) =>
    console.log(
      `${who.padEnd(8)} ${String(++second).padStart(4)} s  working set ${inMB(group.workingSet)}  ` +
        `charged ${inMB(group.usage)}  at most ${inMB(group.peak)} of ${inMB(limit)}`,
    );
}

/** @param {string} who @param {import('./harness/oom-job.mjs').Ended} ended */
function tell(who, { code, signal, kills, peak, ms, results: done, seen, booked }) {
  const last = seen.at(-1);
  const marks = kills > 0 && last ? [{ at: last.at, text: 'killed by the kernel' }] : [];
  drawMemory(`watch-oom.${who}`, { title: `${photos} large photos`, seen, booked, marks });
  const how =
    kills > 0 ? `KILLED by the kernel (${signal}, oom_kill ${kills})` : `finished with exit code ${code}`;
  console.log(
    `${who}: ${how} after ${(ms / 1000).toFixed(1)} s, at most ${inMB(peak)} charged, ${done.length} results\n`,
  );
}

/** @param {number} bytes */
function inMB(bytes) {
  return `${(bytes / MB).toFixed(0).padStart(4)} MB`;
}
