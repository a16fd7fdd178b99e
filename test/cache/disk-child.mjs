// A process of its own that uses a disk cache, for tests of being killed, sharing a folder and leaving.
// Arguments: folder, what to do, first number, count, limit in bytes or '-'. Prints each number once its entry is committed.
import { DiskCache } from '../../dist/cache/disk-cache.js';
import { valueFor } from './numbers.mjs';

const [dir, what, first, count, maxBytes = '-'] = process.argv.slice(2);
const cache = await DiskCache.open(dir, {
  queueBytes: '64KB',
  ...(maxBytes !== '-' && { maxBytes: Number(maxBytes) }),
});

const set = async (number) => {
  await cache.set(`number ${number}`, valueFor(number));
  process.stdout.write(`${number}\n`);
};

const sets = [];
for (let number = Number(first); number < Number(first) + Number(count); number++) {
  await cache.ready();
  sets.push(set(number));
  // Neither one transaction for all nor one for each.
  if (number % 37 === 0) await cache.flush();
}
if (what === 'close') await cache.close();
if (what === 'exit') process.exit(0);
if (what === 'throw') throw new Error('thrown on purpose');
// 'leave': nothing more; the process ends when its work is done, though the cache is open.
