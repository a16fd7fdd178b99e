// A byte cache filled to its limit: what the process really takes, and how much of it is payload.
import { residentMB } from '../harness/memory.mjs';
import { keyOf, order, valueBuffer } from '../harness/values.mjs';

/**
 * @typedef {import('../harness/types.js').Context} Context
 * @typedef {{ budget: number, sizes: readonly number[] }} Plan
 */

const KEY_BYTES = keyOf(0).length;

/**
 * Sets new keys until twice the budget has gone in: what came first has been evicted.
 * @param {Plan} plan @param {(key: string, value: Buffer) => unknown} set
 */
function overfill({ budget, sizes }, set) {
  const values = sizes.map((bytes) => valueBuffer(bytes));
  const which = order(100_003, sizes.length);
  let gone = 0;
  for (let i = 0; gone < 2 * budget; i++) {
    const value = /** @type {{ of(i: number): Buffer }} */ (
      values[/** @type {number} */ (which[i % which.length])]
    ).of(i);
    set(keyOf(i), value);
    gone += value.length;
  }
}

/**
 * The resident set from the library loaded to the cache full.
 * @param {(plan: Plan) => Promise<{ set(key: string, value: Buffer): unknown, figures(): Record<string, number> }>} open
 */
const filled = (open) => ({
  fresh: true,
  open: async (/** @type {Plan} */ plan) => {
    const { set, figures } = await open(plan);
    const before = residentMB().now;
    return {
      async run() {
        overfill(plan, set);
        return {
          values: { '× the budget': ((residentMB().now - before) * 1e6) / plan.budget, ...figures() },
        };
      },
    };
  },
});

/** @param {string} name @param {readonly number[]} sizes @param {boolean} [small] whether metadata is to be judged */
const full = (name, sizes, small = false) => ({
  measures: [
    { name, metric: '× the budget', better: 'lower', target: { limit: { name: 'bound', value: 1.05 } } },
    {
      name: `${name}.lost`,
      metric: '% of the budget that is not payload',
      key: 'lost',
      better: 'lower',
      target: { limit: { name: 'bound', value: 10 } },
    },
    ...(small
      ? [
          {
            name: `${name}.metadata`,
            metric: 'bytes an entry that are neither key nor value',
            key: 'metadata',
            better: 'lower',
            target: { limit: { name: 'bound', value: 64 } },
          },
        ]
      : []),
  ],
  data: async (/** @type {Context} */ { quick }) => {
    const megabytes = quick ? 100 : 1000;
    return { budget: megabytes * 1e6, sizes, label: `${megabytes} MB, values of ${name}` };
  },
  sides: {
    ours: filled(async ({ budget }) => {
      const { ByteCache } = await import('../../dist/index.js');
      const cache = new ByteCache({ maxBytes: budget });
      return {
        set: (key, value) => cache.set(key, value),
        figures() {
          const { usedBytes, payloadBytes, entries } = cache.stats();
          return {
            lost: 100 * (1 - payloadBytes / budget),
            metadata: (usedBytes - payloadBytes) / entries - KEY_BYTES,
          };
        },
      };
    }),
    'lru-cache': {
      package: 'lru-cache',
      ...filled(async ({ budget }) => {
        const { LRUCache } = await import('lru-cache');
        const cache = new LRUCache({ maxSize: budget, sizeCalculation: (value) => value.length });
        return { set: (key, value) => cache.set(key, Buffer.from(value)), figures: () => ({}) };
      }),
    },
  },
});

const KB = 1024;

export const cases = [
  {
    name: 'mem.budget',
    contests: [
      full('1k', [KB], true),
      full('64k', [64 * KB]),
      full('mixed', [100, KB, 4 * KB, 20 * KB, 64 * KB, 300 * KB]),
    ],
  },
];
