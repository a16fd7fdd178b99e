// A worker thread that gets values of a cache that others use too: by name, from a thread that owns it, or from lmdb.
// workerData: { way, name | folder, entries, bytes, turns, seed }. Says "ready", starts when told, answers with
// { ms, sum }.
import { once } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import { uniform } from '../../scripts/make-model/test-graphs.mjs';
import { keysOf } from '../harness/values.mjs';

const { way, entries, turns, seed, batch } = workerData;
const port = /** @type {import('node:worker_threads').MessagePort} */ (parentPort);
const keys = keysOf(entries);
const random = uniform(seed);
const asked = Uint32Array.from({ length: turns }, () => Math.floor(random() * entries));
const ends = (/** @type {Uint8Array} */ value) => value[0] + value[value.length - 1];

const ways = {
  /** Ours: the cache of this name is the same in all threads. */
  async shared() {
    const { ByteCache } = await import('../../dist/index.js');
    const cache = new ByteCache({ name: workerData.name, maxBytes: workerData.maxBytes });
    return async () => {
      let sum = 0;
      for (const i of asked) sum += ends(cache.get(keys[i]));
      return sum;
    };
  },
  /** A read-only view of a database that the main thread filled. */
  async lmdb() {
    const { open } = await import('lmdb');
    const database = open({ path: workerData.folder, encoding: 'binary', readOnly: true });
    return async () => {
      let sum = 0;
      for (const i of asked) sum += ends(database.getBinary(keys[i]));
      return sum;
    };
  },
  /** The main thread owns the values; it is asked for some at a time, and copies of them come back. */
  async messages() {
    return async () => {
      let sum = 0;
      for (let at = 0; at < turns; at += batch) {
        const wanted = [];
        for (let i = at; i < Math.min(at + batch, turns); i++) wanted.push(keys[asked[i]]);
        port.postMessage(wanted);
        const [values] = await once(port, 'message');
        for (const value of values) sum += ends(value);
      }
      return sum;
    };
  },
};

const work = await ways[/** @type {keyof typeof ways} */ (way)]();
port.postMessage('ready');
await once(port, 'message');
const start = performance.now();
const sum = await work();
port.postMessage({ ms: performance.now() - start, sum });
port.close();
