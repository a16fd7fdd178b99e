// The leak detector over made-up traces: how often it cries wolf, and how many leaks of 2 % it misses.
import { uniform } from '../../scripts/make-model/test-graphs.mjs';
import { traceOf } from '../harness/leak-traces.mjs';

/** @typedef {import('../harness/leak-traces.mjs').TraceKind} TraceKind */
/** @typedef {{ seed: number, traces: number }} Data */

/** What must not be called a leak, and what must. */
const KINDS = /** @type {const} */ (['none', 'warm-up', 'step', 'uncollected', 'growth']);
/** @param {TraceKind} kind */
const measureOf = (kind) => ({
  name: kind,
  metric: kind === 'growth' ? 'missed, %' : 'false alarms, %',
  key: kind,
  better: 'lower',
  target: { limit: { name: 'bound', value: kind === 'growth' ? 5 : 1 } },
});

/** The share of wrong verdicts over `traces` traces of a kind, in per cent. */
async function wrongShare(/** @type {TraceKind} */ kind, /** @type {Data} */ { seed, traces }) {
  const { LeakDetector } = await import('../../dist/observe/leak.js');
  const random = uniform(seed + KINDS.indexOf(kind));
  let wrong = 0;
  for (let i = 0; i < traces; i++) {
    const detector = new LeakDetector();
    for (const [items, bytes] of traceOf(kind, random).entries()) detector.observe(items, { process: bytes });
    const leaking = detector.verdicts()[0]?.leaking === true;
    if (leaking !== (kind === 'growth')) wrong++;
  }
  return (100 * wrong) / traces;
}

const verdicts = {
  measures: KINDS.map(measureOf),
  // The traces are drawn anew each time; their number is what makes the figure certain.
  runs: 1,
  data: async (/** @type {{ quick: boolean }} */ { quick }) => {
    const seed = Number(process.env.SPILLWAY_SEED ?? Math.floor(Math.random() * 2 ** 31));
    const traces = quick ? 300 : 2000;
    return { seed, traces, label: `${traces} traces of each kind, SPILLWAY_SEED=${seed}` };
  },
  sides: {
    ours: {
      fresh: true,
      open: async (/** @type {Data} */ data) => ({
        async run() {
          const shares = [];
          for (const kind of KINDS) shares.push([kind, await wrongShare(kind, data)]);
          return { values: Object.fromEntries(shares) };
        },
      }),
    },
  },
};

export const cases = [{ name: 'leak', contests: [verdicts] }];
