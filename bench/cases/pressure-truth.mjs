// What the governor says beside the figures themselves: levels over traces, recorded in a group of the kernel and made
// up, by a computation of its own; and its readings beside those of a program that watches the group from outside.
import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { bigFile } from '../harness/contents.mjs';
import { scratchFolder } from '../harness/data-sets.mjs';
import { Governed, whyNoGovernor } from '../harness/governed.mjs';
import { bookedOf, drawMemory } from '../harness/memory-chart.mjs';
import { madeUpTrace, ToldTrace } from '../harness/traces.mjs';
import { Watcher } from '../harness/watcher.mjs';

/**
 * @typedef {import('../harness/types.js').Context} Context
 * @typedef {import('../harness/watcher.mjs').Seen} Seen
 * @typedef {import('../harness/traces.mjs').Moment} Moment
 */

const MB = 1e6;
const PAGE = 4096;
const LIMIT = 256 * MB;
const SHARE = 0.75;
const WATCH_MS = 1;
const STREAMED_MB = 500;
/** Where levels begin, and how far below that they are left: as the contract says. */
const BEGINS = [0, 0.7, 0.85, 0.95];
const LEFT_BELOW = 0.06;
/** No more than this apart, a reading and a look from outside were of the same moment. */
const SAME_MOMENT_MS = 2;

/** The level by the figures and the level before. @param {number} before @param {Moment} moment @param {number} bySize */
function levelOf(before, { usage, inactive, limit, resident }, bySize) {
  const byLimit = Math.floor(SHARE * limit);
  const left = Math.min(byLimit - Math.max(0, usage - inactive), bySize - resident);
  const budget = Math.min(byLimit, bySize);
  const share = (budget - left) / budget;
  const entered = BEGINS.findLastIndex((begin) => share >= begin);
  const kept = BEGINS.findLastIndex((begin) => begin === 0 || share >= begin - LEFT_BELOW);
  return Math.max(0, entered, Math.min(before, kept));
}

/**
 * Tells the trace, one figure at a time, and asks after each.
 * @param {import('../../src/contract/index.js').Governor} governor @param {readonly Moment[]} trace @param {number} bySize
 */
function replay(governor, trace, bySize) {
  const folder = scratchFolder('truth');
  const told = new ToldTrace(folder);
  const now = { .../** @type {Moment} */ (trace[0]) };
  const figures = /** @type {(keyof Moment)[]} */ (Object.keys(now));
  for (const name of figures) told.tell(name, now[name]);
  governor.configure({ residentBytes: bySize, limitShare: SHARE, proc: told.proc, cgroup: told.cgroup });
  /** @type {number} */
  let level = governor.measure().level;
  let wrong = 0;
  let asked = 0;
  for (const moment of trace)
    for (const name of figures) {
      if (now[name] === moment[name]) continue;
      now[name] = moment[name];
      told.tell(name, moment[name]);
      level = levelOf(level, now, bySize);
      const reading = governor.measure();
      const used = Math.max(0, now.usage - now.inactive);
      asked++;
      if (reading.level !== level || Math.abs(reading.workingSetBytes - used) > used / 100) wrong++;
      level = reading.level;
    }
  governor.configure(undefined);
  told.close();
  rmSync(folder, { recursive: true });
  return { wrong, asked };
}

/**
 * A group in which memory swings over all levels while a file streams by.
 * @param {number} seconds @param {string} file @returns {Promise<{ trace: Moment[], apart: number }>}
 * `apart`: %, the most that a reading of the governor differed from what was seen from outside at that moment
 */
async function record(seconds, file) {
  const governed = new Governed('truth', LIMIT);
  try {
    const { budgetBytes, workingSetBytes } = await governed.ask('govern', {});
    const watcher = new Watcher(governed.group, { everyMs: WATCH_MS, pid: governed.pid });
    const [low, high] = [0.5, 1.02].map((share) => share * budgetBytes - workingSetBytes);
    const saw = governed.beside('hold-memory', ['saw', low ?? 0, high ?? 0, 4000, seconds]);
    const stream = governed.beside('stream-file', [file, 50 * MB, seconds]);
    await Promise.all([saw.ended, stream.ended]);
    await sleep(100);
    const seen = await watcher.stop();
    const history = await governed.ask('history');
    drawMemory('pressure.truth', {
      title: 'memory swings over all levels while a file streams by',
      seen,
      booked: bookedOf(history, seen[0]?.at),
    });
    return { trace: seen.map(momentOf), apart: apart(history, seen) };
  } finally {
    await governed.close();
  }
}

/** @param {Seen} seen @returns {Moment} */
function momentOf({ usage, workingSet, limit, resident }) {
  return { usage, inactive: usage - workingSet, limit, resident: Math.floor(resident / PAGE) * PAGE };
}

/** @param {import('../../src/contract/index.js').PressureHistory} history @param {readonly Seen[]} seen */
function apart({ at, workingSetBytes }, seen) {
  let most = 0;
  let compared = 0;
  for (const [i, time] of at.entries()) {
    const near = seen.filter((look) => Math.abs(look.at - time) <= SAME_MOMENT_MS);
    if (near.length === 0) continue;
    compared++;
    const read = workingSetBytes[i] ?? 0;
    // Memory moves between two looks: what lies between theirs is right.
    const least = Math.min(...near.map(({ workingSet }) => workingSet));
    const top = Math.max(...near.map(({ workingSet }) => workingSet));
    most = Math.max(most, (100 * Math.max(0, least - read, read - top)) / read);
  }
  if (compared < at.length / 2 || compared < 20)
    throw new Error(`only ${compared} of ${at.length} readings were watched from outside`);
  return most;
}

const truth = {
  measures: [
    {
      metric: '% of levels or readings wrong',
      key: 'wrong',
      better: 'lower',
      target: { limit: { name: 'bound', value: 0.1 } },
    },
    {
      name: 'reading',
      metric: '% apart from what is seen outside, at most',
      key: 'apart',
      better: 'lower',
      target: { limit: { name: 'bound', value: 1 } },
    },
  ],
  runs: 1,
  limitMs: 1_800_000,
  skip: whyNoGovernor,
  data: async (/** @type {Context} */ { quick }) => {
    const [seconds, length] = quick ? [12, 4000] : [60, 50_000];
    return {
      ...{ seconds, length, file: await bigFile(STREAMED_MB) },
      label: `a group watched for ${seconds} s, and replayed; ${length} moments made up, for each bound and for both`,
    };
  },
  sides: {
    ours: {
      fresh: true,
      open: async (
        /** @type {{ seconds: number, length: number, file: string }} */ { seconds, length, file },
      ) => ({
        async run() {
          const { native } = await import('../../dist/native/load.js');
          const { governor } = native();
          const recorded = await record(seconds, file);
          const runs = [
            replay(governor, recorded.trace, Number.POSITIVE_INFINITY),
            replay(governor, madeUpTrace(length, 1), Number.POSITIVE_INFINITY),
            replay(governor, madeUpTrace(length, 2), 150 * MB),
          ];
          const sum = (/** @type {'wrong' | 'asked'} */ of) =>
            runs.reduce((total, run) => total + run[of], 0);
          return { values: { wrong: (100 * sum('wrong')) / sum('asked'), apart: recorded.apart } };
        },
      }),
    },
  },
};

export const cases = [{ name: 'pressure.truth', contests: [truth] }];
