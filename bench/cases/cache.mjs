// The byte cache beside lru-cache: gets, leases, sets, and what each does to a full collection.
import * as caches from '../harness/byte-caches.mjs';
import { touchPages } from '../harness/contents.mjs';
import { median } from '../harness/statistics.mjs';
import { keyOf, keysOf, numberOf, order, valueBuffer } from '../harness/values.mjs';

/**
 * @typedef {import('../harness/types.js').Context} Context
 * @typedef {import('../harness/byte-caches.mjs').HeldCache} HeldCache
 * @typedef {{ entries: number, bytes: number, turns: number }} Load
 */

const js = { env: { SPILLWAY_NATIVE: 'off' } };
const openOurs = (/** @type {Load} */ { entries, bytes }) => caches.openOurs(entries * bytes);
const openLru = (/** @type {Load} */ { entries }) => caches.openLru(entries);

/** @param {HeldCache} cache @param {Load} load */
function fill(cache, { entries, bytes }) {
  const value = valueBuffer(bytes);
  for (let i = 0; i < entries; i++) cache.set(keyOf(i), value.of(i));
}

/** Every value of the cache is the one it should be. @param {HeldCache} cache @param {Load} load */
function checked(cache, { entries, bytes }) {
  for (let i = 0; i < entries; i++) {
    const value = cache.copy(keyOf(i));
    if (value?.length !== bytes || numberOf(value) !== i) throw new Error(`${keyOf(i)} has a wrong value`);
  }
  return { entries, bytes };
}

/**
 * Nanoseconds for each of `turns` calls on a full cache.
 * @param {(load: Load) => Promise<HeldCache>} open
 * @param {(cache: HeldCache, load: Load) => (key: string, i: number) => number} use what one call does; a part of the result
 */
const turnsOn = (open, use) => async (/** @type {Load} */ load) => {
  const cache = await open(load);
  fill(cache, load);
  const keys = keysOf(load.entries);
  const asked = order(load.turns, load.entries);
  const turn = use(cache, load);
  return {
    check: async () => checked(cache, load),
    async run() {
      let sum = 0;
      const start = performance.now();
      for (const i of asked) sum += turn(/** @type {string} */ (keys[i]), i);
      return { values: { 'ns/op': ((performance.now() - start) * 1e6) / load.turns }, result: sum };
    },
  };
};

/** @param {{ full: Load, quick: Load, label: string, name?: string, target: import('../harness/types.js').Target }} what @param {Record<string, object>} sides */
const contest = ({ full, quick, label, name, target }, sides) => ({
  measures: [{ ...(name && { name }), metric: 'ns/op', better: 'lower', target }],
  data: async (/** @type {Context} */ context) => {
    const load = context.quick ? quick : full;
    return { ...load, label: `${load.entries} entries of ${label}, ${load.turns} calls` };
  },
  sides,
});

/** @param {HeldCache} cache */
const copying = (cache) => (/** @type {string} */ key) => {
  const value = cache.copy(key);
  return /** @type {number} */ (value[0]) + /** @type {number} */ (value[value.length - 1]);
};

const get = contest(
  {
    full: { entries: 300_000, bytes: 1024, turns: 1_000_000 },
    quick: { entries: 30_000, bytes: 1024, turns: 200_000 },
    label: '1 KB',
    target: { atLeast: { 'lru-cache': 2 } },
  },
  {
    ours: { open: turnsOn(openOurs, copying) },
    'lru-cache': { open: turnsOn(openLru, copying), package: 'lru-cache' },
    'lru-cache-ref': {
      open: turnsOn(({ entries }) => caches.openLru(entries, 'ref'), copying),
      package: 'lru-cache',
    },
    'spillway-js': { open: turnsOn(openOurs, copying), ...js },
  },
);

/** @param {HeldCache} cache */
const lending = (cache) => (/** @type {string} */ key) => {
  let sum = 0;
  cache.lend(key, (bytes) => {
    sum = touchPages(bytes);
  });
  return sum;
};

/** @param {string} name @param {Load} full @param {Load} quick @param {number} times */
const lease = (name, full, quick, times) =>
  contest(
    { full, quick, name, label: name, target: { atLeast: { 'lru-cache': times } } },
    {
      ours: { open: turnsOn(openOurs, lending) },
      'lru-cache': { open: turnsOn(openLru, lending), package: 'lru-cache' },
      'lru-cache-reused': {
        open: turnsOn(({ entries }) => caches.openLru(entries, 'reused'), lending),
        package: 'lru-cache',
      },
      'spillway-js': { open: turnsOn(openOurs, lending), ...js },
    },
  );

/** @param {HeldCache} cache @param {Load} load */
const setting = (cache, { bytes }) => {
  const value = valueBuffer(bytes);
  return (/** @type {string} */ key, /** @type {number} */ i) => {
    cache.set(key, value.of(i));
    return i;
  };
};

/** @param {string} name @param {Load} full @param {Load} quick @param {number} times */
const set = (name, full, quick, times) =>
  contest(
    { full, quick, name, label: name, target: { atLeast: { 'lru-cache': times } } },
    {
      ours: { open: turnsOn(openOurs, setting) },
      'lru-cache': { open: turnsOn(openLru, setting), package: 'lru-cache' },
      'spillway-js': { open: turnsOn(openOurs, setting), ...js },
    },
  );

/** A full collection with the cache filled, and with a tenth of it. @param {(load: Load) => Promise<HeldCache>} open */
const collecting = (open) => async (/** @type {Load} */ load) => {
  const tenth = { ...load, entries: load.entries / 10 };
  const few = await open(tenth);
  fill(few, tenth);
  const fewMs = collect();
  const cache = await open(load);
  fill(cache, load);
  return {
    check: async () => checked(cache, load),
    run: async () => {
      const ms = collect();
      return { values: { ms, growth: ms / fewMs } };
    },
  };
};

/** A full collection once there is nothing left to promote: the median of five. */
function collect() {
  globalThis.gc?.();
  return median(
    Array.from({ length: 5 }, () => {
      const start = performance.now();
      globalThis.gc?.();
      return performance.now() - start;
    }),
  );
}

const gc = {
  measures: [
    { metric: 'ms', better: 'lower', target: { atLeast: { 'lru-cache': 5 } } },
    {
      name: 'flat',
      metric: 'times that of a tenth of the entries',
      key: 'growth',
      better: 'lower',
      target: { limit: { name: 'bound', value: 1.5 } },
    },
  ],
  skip: ({ native }) => (native ? undefined : 'without the addon the entries are in the JavaScript heap'),
  data: async (/** @type {Context} */ { quick }) => {
    const entries = quick ? 50_000 : 300_000;
    return { entries, bytes: 1024, turns: 0, label: `${entries} entries of 1 KB` };
  },
  sides: {
    ours: { open: collecting(openOurs) },
    'lru-cache': { open: collecting(openLru), package: 'lru-cache' },
  },
};

const KB = 1024;
const MB = 1024 * 1024;

export const cases = [
  { name: 'cache.get', contests: [get] },
  {
    name: 'cache.lease',
    contests: [
      lease(
        '64k',
        { entries: 2000, bytes: 64 * KB, turns: 100_000 },
        { entries: 400, bytes: 64 * KB, turns: 10_000 },
        15,
      ),
      lease('1m', { entries: 128, bytes: MB, turns: 10_000 }, { entries: 32, bytes: MB, turns: 1000 }, 100),
    ],
  },
  {
    name: 'cache.set',
    contests: [
      set(
        '1k',
        { entries: 100_000, bytes: KB, turns: 500_000 },
        { entries: 20_000, bytes: KB, turns: 50_000 },
        3,
      ),
      set(
        '64k',
        { entries: 2000, bytes: 64 * KB, turns: 50_000 },
        { entries: 400, bytes: 64 * KB, turns: 5000 },
        2,
      ),
    ],
  },
  { name: 'cache.gc', contests: [gc] },
];
