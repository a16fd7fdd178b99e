// Works on a named cache beside other threads for `seconds`, and checks all it reads: every value begins with its
// own key and length, and is filled with one byte. Answers with how many operations it made.
import { parentPort, workerData } from 'node:worker_threads';
import { ByteCache } from '../../dist/cache/byte-cache.js';

const { name, maxBytes, seconds, seed } = workerData;
const cache = new ByteCache({ name, maxBytes });
const HEAD = 12;
const KEYS = 400;

let state = (seed + 1) * 0x9e3779b1;
const random = (below) => {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % below;
};

function make(key) {
  const length = HEAD + random(random(8) === 0 ? 100_000 : 3000);
  const bytes = new Uint8Array(length).fill(random(256));
  new DataView(bytes.buffer).setUint32(0, key);
  new DataView(bytes.buffer).setUint32(4, length);
  return bytes;
}

function check(key, bytes) {
  if (!bytes) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const whole = view.getUint32(0) === key && view.getUint32(4) === bytes.length;
  const rest = bytes.subarray(HEAD);
  if (!whole || (rest.length > 1 && Buffer.compare(rest.subarray(1), rest.subarray(0, -1)) !== 0))
    throw new Error(`key ${key} led to a value of another or a torn one`);
}

const leases = [];
const target = new Uint8Array(HEAD + 100_000);
const operate = (key) => {
  const kind = random(100);
  if (kind < 35) cache.set(`k${key}`, make(key), random(5) === 0 ? { ttl: 1 + random(300) } : undefined);
  else if (kind < 65) check(key, cache.get(`k${key}`));
  else if (kind < 75) {
    const length = cache.getInto(`k${key}`, target);
    if (length !== undefined) check(key, target.subarray(0, length));
  } else if (kind < 85) {
    const lease = cache.lease(`k${key}`);
    if (lease) leases.push({ key, lease });
  } else if (kind < 90) {
    const [held] = leases.splice(random(leases.length || 1), 1);
    if (!held) return;
    check(held.key, held.lease.bytes);
    held.lease.release();
  } else if (kind < 99) cache.delete(`k${key}`);
  else if (random(50) === 0) cache.shrink(maxBytes / 4);
  else {
    const { usedBytes, payloadBytes } = cache.stats();
    if (usedBytes > maxBytes || payloadBytes > usedBytes)
      throw new Error(`${usedBytes} of ${maxBytes} bytes used`);
  }
};

const until = performance.now() + seconds * 1000;
let operations = 0;
while (performance.now() < until) {
  for (let i = 0; i < 100; i++, operations++) {
    operate(random(KEYS));
    if (leases.length > 20) leases.shift().lease.release();
  }
  // Buffers that were lent are let go in turns of the event loop.
  if (operations % 10_000 === 0) await new Promise((resolve) => setImmediate(resolve));
}
for (const { lease } of leases) lease.release();
parentPort?.postMessage(operations);
