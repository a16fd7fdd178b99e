// The byte cache, native against JavaScript: node bench/micro/cache.mjs
import { createFallback } from '../../dist/fallback/index.js';
import { native } from '../../dist/native/load.js';
import { keysOf, valueBuffer } from '../harness/values.mjs';
import { compare } from './compare.mjs';

const ENTRIES = 10_000;
const BYTES = 1024;
const KEYS = keysOf(ENTRIES);
const PLAN = { name: '', maxBytes: 2 * ENTRIES * BYTES, ttlMs: 0, manualClock: false };

/** @param {{ openCache(plan: typeof PLAN): import('../../src/contract/cache.js').ByteTable }} side */
function opened(side) {
  const table = side.openCache(PLAN);
  const value = valueBuffer(BYTES);
  for (const [i, key] of KEYS.entries()) table.set(key, value.of(i), -1);
  let next = 0;
  // A step that meets every key, not in their order.
  const key = () => {
    next = (next + 7919) % ENTRIES;
    return /** @type {string} */ (KEYS[next]);
  };
  const target = new Uint8Array(BYTES);
  return {
    get() {
      if (table.read(key(), target, 0, true) !== BYTES) throw new Error('expected a value');
    },
    set() {
      if (!table.set(key(), value.of(next), -1)) throw new Error('expected room');
    },
    lease() {
      const buffer = /** @type {ArrayBuffer} */ (table.lease(key()));
      table.release(/** @type {number} */ (table.leaseId[0]), buffer);
    },
  };
}

const sides = { native: opened(native()), javascript: opened(createFallback()) };
for (const operation of /** @type {const} */ (['get', 'set', 'lease']))
  await compare(`cache: ${operation}, 1 KB`, {
    native: sides.native[operation],
    javascript: sides.javascript[operation],
  });
