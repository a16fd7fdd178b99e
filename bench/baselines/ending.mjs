// A process that ends while a graph runs: node ending.mjs <exit|throw|terminate|abort> <delay ms> <model> <engine>. Prints
// "pending" when the run had not settled by then, else "settled"; and its child processes.
import { readdirSync, readFileSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { ModelCache } from '../../dist/index.js';
import { feed } from '../harness/graphs.mjs';

const [ending, delay, file, engine] = isMainThread ? process.argv.slice(2) : workerData;
const stop = new AbortController();
let settled = false;

const tell = (left = children()) => writeSync(1, [settled ? 'settled' : 'pending', ...left].join(' '));

function children() {
  return readdirSync('/proc/self/task').flatMap((task) => {
    const list = readFileSync(`/proc/self/task/${task}/children`, 'utf8').trim();
    return list === '' ? [] : list.split(' ');
  });
}

/** Loads the model and leaves a run in flight. */
async function work() {
  const cache = new ModelCache({ device: 'cpu', engine });
  const model = await cache.acquire(file);
  const running = model.run({ x: feed(4, 256) }, { signal: stop.signal }).then(
    () => {
      settled = true;
    },
    (error) => {
      if (!stop.signal.aborted) throw error;
    },
  );
  return { cache, running };
}

if (!isMainThread) {
  await work();
  parentPort?.postMessage('started');
} else if (ending === 'terminate') {
  const worker = new Worker(new URL(import.meta.url), { workerData: process.argv.slice(2) });
  await new Promise((resolve) => worker.once('message', resolve));
  await sleep(Number(delay));
  const left = children();
  await worker.terminate();
  tell(left);
} else {
  const { cache, running } = await work();
  await sleep(Number(delay));
  tell();
  if (ending === 'exit') process.exit(7);
  if (ending === 'throw') throw new Error('on purpose');
  stop.abort();
  await running;
  await cache.close();
}
