// A process of its own that uses a result store, for tests of being killed, sharing a folder and leaving.
// Arguments: folder, what to do, first number, count. Prints each number once its entry is committed.
import { statKey } from '../../dist/results/identity.js';
import { ResultStore } from '../../dist/results/result-store.js';

const [dir, what, first, count] = process.argv.slice(2);
const store = await ResultStore.open({ dir, queueBytes: '64KB' });
const fingerprint = await store.fingerprint('child');

const set = async (number) => {
  const file = { dev: 1n, ino: BigInt(number), size: number, mtimeNs: 1n, ctimeNs: 1n };
  const value = { kind: 'number', data: { number, text: `${number} `.repeat(number % 50) } };
  await store.set(statKey(fingerprint, file), value, { readAtMs: Date.now() });
  process.stdout.write(`${number}\n`);
};

const sets = [];
for (let number = Number(first); number < Number(first) + Number(count); number++) {
  await store.ready();
  sets.push(set(number));
  // Neither one transaction for all nor one for each.
  if (number % 37 === 0) await store.flush();
}
if (what === 'close') await store.close();
if (what === 'exit') process.exit(0);
if (what === 'throw') throw new Error('thrown on purpose');
// 'leave': nothing more; the process ends when its work is done, though the store is open.
