// A process under a governor, told over its channel what to do: opened by harness/governed.mjs in a memory group.
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ByteCache } from '../../dist/index.js';
import { native } from '../../dist/native/load.js';
import { residentMB } from '../harness/memory.mjs';

const { governor, ledger } = native();
const VALUE = Buffer.alloc(2 ** 16, 7);
const PLAN = {
  residentBytes: Number.POSITIVE_INFINITY,
  limitShare: 0.75,
  proc: '/proc',
  cgroup: '/sys/fs/cgroup',
};

/** @type {import('../../src/contract/index.js').PressureEvent[]} */
let events = [];
/** @type {ByteCache | undefined} */
let cache;
/** @type {Set<string>} */
let threadsBefore = new Set();

const acts = {
  /** Starts a governor; what stood before is forgotten. @param {object} plan */
  govern(plan) {
    governor.stop();
    governor.configure(undefined);
    events = [];
    threadsBefore = threads();
    governor.configure({ ...PLAN, ...plan });
    governor.start((event) => events.push(event));
    return governor.measure();
  },
  measure: () => governor.measure(),
  /** Fills a cache with so many bytes. @param {number} bytes */
  fill(bytes) {
    cache ??= new ByteCache({ maxBytes: '1GB' });
    cache.clear();
    for (let i = 0; i * VALUE.length < bytes; i++) cache.set(`key-${i}`, VALUE);
    return governor.measure();
  },
  /** Keeps the JavaScript thread busy. @param {number} ms */
  block(ms) {
    process.send?.({ note: 'blocked' });
    const end = performance.now() + ms;
    while (performance.now() < end);
  },
  /** What has happened since the last time. */
  async events() {
    // What was posted while JavaScript was blocked comes in with the next turns of the loop.
    await sleep(50);
    return events.splice(0);
  },
  /** When the ledger's limit, which the governor's own thread sets, was no longer `bytes`: ms since the epoch. @param {number} bytes */
  async budgetChanged(bytes) {
    while (ledger.limit(0) === bytes) await sleep(1);
    return performance.timeOrigin + performance.now();
  },
  budget: () => ledger.limit(0),
  history: () => governor.history(),
  figures: () => governor.figures(),
  residentMB: () => residentMB().now,
  /** Nanoseconds that threads which were not there before the governor have run, as the kernel counts them. */
  threadNs() {
    let ns = 0;
    for (const id of threads())
      if (!threadsBefore.has(id))
        ns += Number(readFileSync(`/proc/self/task/${id}/schedstat`, 'utf8').split(' ')[0]);
    return ns;
  },
};

function threads() {
  return new Set(readdirSync('/proc/self/task'));
}

process.on(
  'message',
  async (/** @type {{ act: keyof typeof acts, argument: never }} */ { act, argument }) => {
    try {
      process.send?.({ value: await acts[act](argument) });
    } catch (error) {
      process.send?.({ error: error instanceof Error ? error.stack : String(error) });
    }
  },
);
