// A process that ends while the native engine is busy: node ending.mjs <ending> <phase> <delay ms> <quick graph>
// <slow graph>. Prints "pending" when the work had not settled by then, else "settled".
import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { ModelCache } from '../../dist/models/model-cache.js';

const ROWS = 512;
const DEVICE = process.env.SPILLWAY_LIFECYCLE_DEVICE || 'cpu';
const [ending, phase, delay, runGraph, loadGraph] = isMainThread ? process.argv.slice(2) : workerData;
let settled = false;

async function work(started) {
  const cache = new ModelCache({ engine: 'native', device: DEVICE, threads: 2 });
  const model = await cache.acquire(runGraph);
  const x = { type: 'float32', dims: [ROWS, ROWS], data: new Float32Array(ROWS * ROWS).fill(1) };
  // Those behind the first wait for the cores, as do those of another session.
  const crowd = async () => {
    const other = await cache.acquire(runGraph, { threads: 1, concurrency: 4 });
    const runs = [model, other, model, other, other].map((each, priority) => each.run({ x }, { priority }));
    return Promise.all(runs);
  };
  const phases = { run: () => model.run({ x }), wait: crowd, load: () => cache.acquire(loadGraph) };
  const busy = phases[phase]();
  busy.then(
    () => {
      settled = true;
    },
    () => undefined,
  );
  started();
}

const tell = () => writeSync(1, settled ? 'settled' : 'pending');

if (!isMainThread) await work(() => parentPort?.postMessage('started'));
else if (ending === 'terminate') {
  const worker = new Worker(new URL(import.meta.url), { workerData: process.argv.slice(2) });
  await new Promise((resolve) => worker.once('message', resolve));
  await sleep(Number(delay));
  await worker.terminate();
  tell();
} else {
  process.on('SIGINT', () => {
    tell();
    process.exit(130);
  });
  await work(() => undefined);
  await sleep(Number(delay));
  if (ending === 'exit') {
    tell();
    process.exit(7);
  }
  if (ending === 'sigint') process.kill(process.pid, 'SIGINT');
  if (ending === 'throw') {
    tell();
    throw new Error('on purpose');
  }
}
