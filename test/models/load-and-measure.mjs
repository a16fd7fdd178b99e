// Loads the graph of a file into several sessions, with further options, and prints as JSON, for each of them, what the
// ledger was charged and by how much memory that is not of files grew; and how much of it a second load leaves behind.
// Of several, for JavaScript's own heap grows and shrinks by megabytes.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ModelCache } from '../../dist/models/model-cache.js';
import { native } from '../../dist/native/load.js';

const SESSIONS = 4;
const [warm, file, options = '{}'] = process.argv.slice(2);
const { ledger, trim } = native();
const account = ledger.account('models', 0);
const cache = new ModelCache({ engine: 'native', device: 'cpu', threads: 1 });

/** Once what is free has gone back to the system. */
async function resident() {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.();
    await sleep(50); // freed on other threads
  }
  await trim();
  return Number(/^RssAnon:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024;
}

/** Loads a graph and lets go of it; what is left then, without JavaScript's own heap. */
async function left() {
  (await cache.acquire(warm))[Symbol.dispose]();
  cache.clear();
  return (await resident()) - process.memoryUsage().heapTotal;
}

// What the library itself takes at its first load.
const first = await left();
const remains = (await left()) - first;
const before = await resident();
let bytes = 0;
// Another number of runs at a time makes another session.
for (let concurrency = 1; concurrency <= SESSIONS; concurrency++)
  bytes += (await cache.acquire(file, { concurrency, ...JSON.parse(options) })).bytes;
const grown = (await resident()) - before;
const charged = ledger.held(account);
await cache.close();
await resident();
const each = (sum) => sum / SESSIONS;
console.log(
  JSON.stringify({
    grown: each(grown),
    bytes: each(bytes),
    charged: each(charged),
    remains,
    left: ledger.held(account),
  }),
);
