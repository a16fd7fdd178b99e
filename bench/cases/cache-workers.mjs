// One cache for two threads: ours by name, beside a thread that owns the values, and beside lmdb.
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { scratchFolder } from '../harness/data-sets.mjs';
import { keyOf, valueBuffer } from '../harness/values.mjs';

/**
 * @typedef {import('../harness/types.js').Context} Context
 * @typedef {{ entries: number, bytes: number, turns: number }} Load
 */

const PROGRAM = new URL('../baselines/cache-worker.mjs', import.meta.url);
const THREADS = 2;
/** Once for each run of each side: what others did with a name is no longer there under the next. */
let serial = 0;

/**
 * Gets a second of both threads together, from when they are told to start until the last is done.
 * @param {Load} load @param {object} workerData @param {number} [share] of the turns, for ways that would take minutes
 * @param {(worker: Worker, wanted: string[]) => void} [answer] what the owner does with a message
 */
async function together({ entries, turns }, workerData, share = 1, answer = () => undefined) {
  const each = Math.ceil((turns * share) / THREADS);
  const workers = Array.from(
    { length: THREADS },
    (_, seed) => new Worker(PROGRAM, { workerData: { ...workerData, entries, turns: each, seed: seed + 1 } }),
  );
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  const done = workers.map(
    (worker) =>
      new Promise((resolve, reject) => {
        worker.on('message', (message) => {
          if (Array.isArray(message)) answer(worker, message);
          else resolve(message);
        });
        worker.on('error', reject);
      }),
  );
  const start = performance.now();
  for (const worker of workers) worker.postMessage('go');
  await Promise.all(done);
  const seconds = (performance.now() - start) / 1000;
  await Promise.all(workers.map((worker) => worker.terminate()));
  return { values: { 'gets/s': (each * THREADS) / seconds } };
}

/** @param {Load} load @param {(key: string, value: Buffer) => unknown} set */
function fill({ entries, bytes }, set) {
  const value = valueBuffer(bytes);
  for (let i = 0; i < entries; i++) set(keyOf(i), value.of(i));
}

/** @param {number} batch keys in a message */
const messagePassing = (batch) => ({
  async open(/** @type {Load} */ load) {
    /** @type {Map<string, Buffer>} */
    const values = new Map();
    fill(load, (key, value) => values.set(key, Buffer.from(value)));
    return {
      run: () =>
        together(load, { way: 'messages', batch }, batch === 1 ? 0.02 : 0.1, (worker, wanted) => {
          // Each alone in its memory: a view would take the whole pool of Node's small buffers along.
          worker.postMessage(wanted.map((key) => Uint8Array.from(/** @type {Buffer} */ (values.get(key)))));
        }),
    };
  },
});

const workers = {
  measures: [
    {
      metric: 'gets/s',
      better: 'higher',
      target: { atLeast: { 'message-passing': 50, 'message-passing-64': 10, lmdb: 1 } },
    },
  ],
  skip: (/** @type {Context} */ { native }) =>
    native ? undefined : 'a cache shared by threads needs the native addon',
  data: async (/** @type {Context} */ { quick }) => {
    const load = quick
      ? { entries: 4000, bytes: 4096, turns: 200_000 }
      : { entries: 20_000, bytes: 4096, turns: 2_000_000 };
    return { ...load, label: `${load.entries} entries of 4 KB, ${THREADS} threads` };
  },
  sides: {
    ours: {
      async open(/** @type {Load} */ load) {
        const { ByteCache } = await import('../../dist/index.js');
        const plan = { name: `bench-${process.pid}-${serial++}`, maxBytes: load.entries * load.bytes * 2 };
        const cache = new ByteCache(plan);
        fill(load, (key, value) => cache.set(key, value));
        return { run: () => together(load, { way: 'shared', ...plan }) };
      },
    },
    'message-passing': messagePassing(1),
    'message-passing-64': messagePassing(64),
    lmdb: {
      package: 'lmdb',
      async open(/** @type {Load} */ load) {
        const { open } = await import('lmdb');
        const folder = scratchFolder('lmdb');
        const database = open({ path: folder, encoding: 'binary', noSync: true });
        database.transactionSync(() => fill(load, (key, value) => database.putSync(key, value)));
        return {
          run: () => together(load, { way: 'lmdb', folder }),
          async close() {
            await database.close();
            rmSync(folder, { recursive: true });
          },
        };
      },
    },
  },
};

export const cases = [{ name: 'cache.workers', contests: [workers] }];
