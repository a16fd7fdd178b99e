// From the moment that memory crosses into HIGH to the moment that bytes are given back, while JavaScript is blocked
// and another process of the group goes on taking memory. Watched from outside; what the governor says stands beside.
import { setTimeout as sleep } from 'node:timers/promises';
import { Governed, whyNoGovernor } from '../harness/governed.mjs';
import { bookedOf, drawMemory } from '../harness/memory-chart.mjs';
import { quantile } from '../harness/statistics.mjs';
import { Watcher } from '../harness/watcher.mjs';

/** @typedef {import('../harness/types.js').Context} Context */
/** @typedef {import('../harness/watcher.mjs').Seen} Seen */

const MB = 1e6;
const LIMIT = 256 * MB;
const CACHE = 90 * MB;
const BLOCK_MS = 2000;
const HOLD_MS = 1000;
const RATE = 500 * MB;
/** HIGH begins at this share of the budget. */
const HIGH = 0.85;
const BEYOND_HIGH = 15 * MB;
/** What a resident set has to shrink by to have given back anything. */
const FREED = MB;
const WATCH_MS = 0.25;

/**
 * One crossing: a full cache, JavaScript blocked, memory taken at the rate until it lies beyond HIGH.
 * @param {Governed} governed
 * @returns {Promise<{ outside: number, own: number, seen: Seen[], history: import('../../src/contract/index.js').PressureHistory }>} ms; `Infinity` where nothing was freed
 */
async function cross(governed) {
  // Anew each time: after an eviction caches may only grow back slowly.
  await governed.ask('govern', {});
  const { budgetBytes, workingSetBytes, level } = await governed.ask('fill', CACHE);
  if (level >= 2) throw new Error('the cache alone lies beyond HIGH already');
  const high = HIGH * budgetBytes;
  const watcher = new Watcher(governed.group, { everyMs: WATCH_MS, pid: governed.pid });
  await sleep(100);
  const { done } = await governed.block(BLOCK_MS);
  const ramp = governed.beside('hold-memory', ['ramp', RATE, high - workingSetBytes + BEYOND_HIGH, HOLD_MS]);
  await done;
  await ramp.ended;
  const seen = await watcher.stop();
  const events = await governed.ask('events');
  return {
    outside: seenLatency(seen, high),
    own: ownLatency(events),
    seen,
    history: await governed.ask('history'),
  };
}

/** @param {readonly Seen[]} seen @param {number} high */
function seenLatency(seen, high) {
  const at = seen.findIndex(({ workingSet }) => workingSet >= high);
  if (at < 0) throw new Error('memory did not cross into HIGH');
  const crossed = /** @type {Seen} */ (seen[at]);
  const freed = seen.slice(at).find(({ resident }) => resident <= crossed.resident - FREED);
  return freed ? freed.at - crossed.at : Number.POSITIVE_INFINITY;
}

/** From the governor's sample that was HIGH to its first that says bytes were freed. @param {readonly import('../harness/governed.mjs').Event[]} events */
function ownLatency(events) {
  const crossed = events.find(({ kind, level, previous }) => kind === 'level' && level >= 2 && previous < 2);
  const freed = events.find(({ kind, bytes }) => kind === 'freed' && bytes > 0);
  return crossed && freed ? freed.reading.at - crossed.reading.at : Number.POSITIVE_INFINITY;
}

/** Between two looks, ms. @param {readonly Seen[]} seen */
function longestGap(seen) {
  return Math.max(0, ...seen.map(({ at }, i) => at - (seen[i - 1]?.at ?? at)));
}

const bound = (/** @type {number} */ value) => ({ limit: { name: 'bound', value } });

const latency = {
  measures: [
    { metric: 'ms (p99)', key: 'p99', better: 'lower', target: bound(25) },
    { name: 'max', metric: 'ms', key: 'max', better: 'lower', target: bound(50) },
    {
      name: 'own',
      metric: "ms (max, by the governor's own times)",
      key: 'own',
      better: 'lower',
      target: bound(50),
    },
  ],
  // It counts by itself.
  runs: 1,
  limitMs: 3_600_000,
  skip: whyNoGovernor,
  data: async (/** @type {Context} */ { quick }) => {
    const crossings = quick ? 8 : 100;
    return {
      crossings,
      label: `${crossings} crossings of HIGH at ${RATE / MB} MB/s in a group of ${LIMIT / MB} MB, JavaScript blocked for ${BLOCK_MS / 1000} s`,
    };
  },
  sides: {
    ours: {
      fresh: true,
      open: async (/** @type {{ crossings: number }} */ { crossings }) => ({
        async run() {
          const governed = new Governed('latency', LIMIT);
          try {
            const outside = [];
            const own = [];
            let starved = 0;
            for (let i = 0; i < crossings; i++) {
              const crossing = await cross(governed);
              outside.push(Math.min(crossing.outside, BLOCK_MS));
              own.push(Math.min(crossing.own, BLOCK_MS));
              starved = Math.max(starved, longestGap(crossing.seen));
              if (i === 0)
                drawMemory('pressure.latency', {
                  title: 'JavaScript blocked, another process takes 500 MB/s',
                  seen: crossing.seen,
                  booked: bookedOf(crossing.history, crossing.seen[0]?.at),
                });
            }
            // On a machine that has other things to do this says how much of the latency is the machine's.
            console.error(
              `pressure.latency: who watched from outside waited ${starved.toFixed(1)} ms at most`,
            );
            if (governed.group.kills > 0) throw new Error('the kernel killed a process of the group');
            return {
              values: { p99: quantile(outside, 0.99), max: Math.max(...outside), own: Math.max(...own) },
            };
          } finally {
            await governed.close();
          }
        },
      }),
    },
  },
};

export const cases = [{ name: 'pressure.latency', contests: [latency] }];
