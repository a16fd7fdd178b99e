// Terminates workers in the middle of their work on a shared cache, again and again, and checks that what they
// held came back: node byte-terminate.mjs <rounds>. Prints "ok" and how many leases they left behind.
import { Worker } from 'node:worker_threads';
import { ByteCache } from '../../dist/cache/byte-cache.js';

const rounds = Number(process.argv[2]);
const maxBytes = 3_000_000;
const name = 'terminated';
const cache = new ByteCache({ name, maxBytes });
let left = 0;
for (let round = 0; round < rounds; round++) {
  const workers = [0, 1].map(
    (seed) =>
      new Worker(new URL('./byte-worker.mjs', import.meta.url), {
        workerData: { name, maxBytes, seconds: 60, seed: seed + round * 2 },
      }),
  );
  await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('online', resolve))));
  const { sets } = cache.stats();
  while (cache.stats().sets === sets) await new Promise((resolve) => setTimeout(resolve, 2));
  await new Promise((resolve) => setTimeout(resolve, round % 7));
  left += cache.stats().leases;
  await Promise.all(workers.map((worker) => worker.terminate()));
  const { leases, usedBytes } = cache.stats();
  if (leases !== 0 || usedBytes > maxBytes) throw new Error(`${leases} leases, ${usedBytes} bytes are left`);
  if (!cache.set('still', new Uint8Array(1000)) || cache.get('still')?.length !== 1000)
    throw new Error('the cache no longer works');
}
cache.clear();
if (cache.stats().usedBytes !== 0) throw new Error('bytes are left');
console.log(`ok ${left}`);
