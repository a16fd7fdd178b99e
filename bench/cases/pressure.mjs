// What the governor costs, and that it neither cries wolf nor wavers nor misses a limit that is moved.
import { setTimeout as sleep } from 'node:timers/promises';
import { bigFile } from '../harness/contents.mjs';
import { Governed, whyNoGovernor } from '../harness/governed.mjs';
import { bookedOf, drawMemory } from '../harness/memory-chart.mjs';
import { Watcher } from '../harness/watcher.mjs';

/** @typedef {import('../harness/types.js').Context} Context */
/** @typedef {import('../harness/watcher.mjs').Seen} Seen */

const MB = 1e6;
const NORMAL = 0;
const CRITICAL = 3;

const bound = (/** @type {number} */ value) => ({ limit: { name: 'bound', value } });

/**
 * A side that works on one governed process in a group of its own.
 * @template Plan @param {number} limit @param {(governed: Governed, plan: Plan) => Promise<Record<string, number>>} work
 */
const governedSide = (limit, work) => ({
  fresh: true,
  open: async (/** @type {Plan} */ plan) => ({
    async run() {
      const governed = new Governed('pressure', limit);
      try {
        const values = await work(governed, plan);
        if (governed.group.kills > 0) throw new Error('the kernel killed a process of the group');
        return { values };
      } finally {
        await governed.close();
      }
    },
  }),
});

/** The trace and the levels of `during`, drawn. @template T @param {Governed} governed @param {string} name @param {string} title @param {() => Promise<T>} during */
async function drawn(governed, name, title, during) {
  const watcher = new Watcher(governed.group);
  const value = await during();
  const seen = await watcher.stop();
  drawMemory(name, { title, seen, booked: bookedOf(await governed.ask('history'), seen[0]?.at) });
  return { value, seen };
}

const SETTLE_MS = 1000;
const SMALL_LIMIT = 160 * MB;
/** Well beyond where CRITICAL begins, and still short of the limit. */
const CRITICAL_SHARE = 1.05;

/** Share of a core that the governor's threads take, in %. @param {Governed} governed @param {number} ms */
async function share(governed, ms) {
  const before = await governed.ask('threadNs');
  const start = performance.now();
  await sleep(ms);
  const ns = (await governed.ask('threadNs')) - before;
  return (100 * ns) / 1e6 / (performance.now() - start);
}

const overhead = {
  measures: [
    { metric: '% of a core, idle', key: 'idle', better: 'lower', target: bound(0.1) },
    { name: 'critical', metric: '% of a core', key: 'critical', better: 'lower', target: bound(0.5) },
    { name: 'memory', metric: 'MB', key: 'memory', better: 'lower', target: bound(1) },
  ],
  skip: whyNoGovernor,
  data: async (/** @type {Context} */ { quick }) => {
    const seconds = quick ? 5 : 30;
    return { ms: seconds * 1000, label: `${seconds} s idle, ${seconds} s at CRITICAL with nothing to free` };
  },
  sides: {
    ours: governedSide(SMALL_LIMIT, async (governed, /** @type {{ ms: number }} */ { ms }) => {
      await sleep(SETTLE_MS);
      await governed.ask('residentMB');
      const before = await governed.ask('residentMB');
      const { budgetBytes, workingSetBytes } = await governed.ask('govern', {});
      await sleep(SETTLE_MS);
      const memory = Math.max(0, (await governed.ask('residentMB')) - before);
      const idle = await share(governed, ms);
      const more = CRITICAL_SHARE * budgetBytes - workingSetBytes;
      governed.beside('hold-memory', ['ramp', 50 * MB, more, 2 * ms + 60_000]);
      await sleep((more / (50 * MB)) * 1000 + SETTLE_MS);
      const critical = await share(governed, ms);
      const { level } = await governed.ask('measure');
      if (level !== CRITICAL) throw new Error(`expected CRITICAL but the level is ${level}`);
      return { idle, critical, memory };
    }),
  },
};

const STREAMED_MB = 500;
const STREAM_RATE = 150 * MB;
const STREAM_LIMIT = 256 * MB;
/** The group has to stand there most of the time, or nothing was shown. */
const FULL = 0.99;

const falseAlarms = {
  measures: [{ metric: 'alarms', better: 'lower', target: bound(0) }],
  runs: 1,
  limitMs: 1_800_000,
  skip: whyNoGovernor,
  data: async (/** @type {Context} */ { quick }) => {
    const seconds = quick ? 20 : 600;
    return {
      seconds,
      file: await bigFile(STREAMED_MB),
      label: `${seconds} s of reading a file at ${STREAM_RATE / MB} MB/s; the group is full of page cache`,
    };
  },
  sides: {
    ours: governedSide(
      STREAM_LIMIT,
      async (governed, /** @type {{ seconds: number, file: string }} */ plan) => {
        await governed.ask('govern', {});
        const { seen } = await drawn(
          governed,
          'pressure.false',
          'page cache streaming by',
          () => governed.beside('stream-file', [plan.file, STREAM_RATE, plan.seconds]).ended,
        );
        const full = seen.filter(({ usage, limit }) => usage >= FULL * limit).length / seen.length;
        if (full < 0.8)
          throw new Error(`the group was full for only ${Math.round(100 * full)} % of the time`);
        /** @type {import('../harness/governed.mjs').Event[]} */
        const events = await governed.ask('events');
        return { alarms: events.filter(({ kind, level }) => kind === 'level' && level > NORMAL).length };
      },
    ),
  },
};

const THRESHOLDS = { ELEVATED: 0.7, HIGH: 0.85, CRITICAL: 0.95 };
const SWING = 0.03;
const PERIOD_MS = 2000;
const FLAP_LIMIT = 256 * MB;

/** How often the working set went over the bytes, or under. @param {readonly Seen[]} seen @param {number} bytes */
function crossingsOf(seen, bytes) {
  const over = seen.map(({ workingSet }) => workingSet >= bytes);
  return over.filter((is, i) => i > 0 && is !== over[i - 1]).length;
}

const flap = {
  measures: [{ metric: 'changes a minute', better: 'lower', target: bound(2) }],
  runs: 1,
  skip: whyNoGovernor,
  data: async (/** @type {Context} */ { quick }) => {
    const seconds = quick ? 12 : 60;
    return {
      seconds,
      label: `${seconds} s of ±3 % on each threshold, a swing every ${PERIOD_MS / 1000} s; the worst`,
    };
  },
  sides: {
    ours: governedSide(FLAP_LIMIT, async (governed, /** @type {{ seconds: number }} */ { seconds }) => {
      let worst = 0;
      for (const [name, threshold] of Object.entries(THRESHOLDS)) {
        const { budgetBytes, workingSetBytes } = await governed.ask('govern', {});
        const at = (/** @type {number} */ share) => share * budgetBytes - workingSetBytes;
        const { value, seen } = await drawn(
          governed,
          `pressure.flap.${name}`,
          'a saw-tooth on a threshold',
          async () => {
            const saw = governed.beside('hold-memory', [
              ...[
                'saw',
                at(threshold - SWING),
                at(threshold + SWING),
                PERIOD_MS,
                seconds + (2 * PERIOD_MS) / 1000,
              ],
            ]);
            // The way up to the threshold is none of the swings.
            await sleep(PERIOD_MS);
            await governed.ask('events');
            await sleep(seconds * 1000);
            /** @type {import('../harness/governed.mjs').Event[]} */
            const events = await governed.ask('events');
            await saw.ended;
            return events.filter(({ kind }) => kind === 'level').length;
          },
        );
        const crossings = crossingsOf(seen, threshold * budgetBytes);
        if (crossings < seconds / 2) throw new Error(`${name} was crossed only ${crossings} times`);
        worst = Math.max(worst, (60 * value) / seconds);
      }
      return { 'changes a minute': worst };
    }),
  },
};

const WIDE = 512 * MB;
const NARROW = 200 * MB;
const RESIZE_CACHE = 120 * MB;
/** Time to give back what the smaller budget has no room for. */
const SHRINK_MS = 500;

const resize = {
  measures: [
    { metric: 'ms until seen', key: 'seen', better: 'lower', target: bound(100) },
    { name: 'kills', metric: 'kills', better: 'lower', target: bound(0) },
    {
      name: 'over',
      metric: '% beyond the new budget after half a second',
      key: 'over',
      better: 'lower',
      target: bound(0),
    },
  ],
  runs: 1,
  skip: whyNoGovernor,
  data: async (/** @type {Context} */ { quick }) => {
    const times = quick ? 5 : 50;
    return {
      times,
      label: `${times} times from ${WIDE / MB} to ${NARROW / MB} MB under a cache of ${RESIZE_CACHE / MB} MB; the worst`,
    };
  },
  sides: {
    ours: governedSide(WIDE, async (governed, /** @type {{ times: number }} */ { times }) => {
      const { value } = await drawn(governed, 'pressure.resize', 'the limit is lowered live', async () => {
        const worst = { seen: 0, kills: 0, over: 0 };
        for (let i = 0; i < times; i++) {
          governed.group.setLimit(WIDE);
          await governed.ask('govern', {});
          await governed.ask('fill', RESIZE_CACHE);
          await sleep(200 + ((37 * i) % 100));
          const changed = governed.ask('budgetChanged', await governed.ask('budget'));
          const lowered = performance.timeOrigin + performance.now();
          governed.group.setLimit(NARROW);
          worst.seen = Math.max(worst.seen, (await changed) - lowered);
          await sleep(SHRINK_MS);
          const { workingSet } = governed.group;
          const budget = await governed.ask('budget');
          worst.over = Math.max(worst.over, (100 * (workingSet - budget)) / budget);
        }
        return { ...worst, kills: governed.group.kills };
      });
      return value;
    }),
  },
};

export const cases = [
  { name: 'pressure.overhead', contests: [overhead] },
  { name: 'pressure.false', contests: [falseAlarms] },
  { name: 'pressure.flap', contests: [flap] },
  { name: 'pressure.resize', contests: [resize] },
];
