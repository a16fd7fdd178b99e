// What a request to the adaptive cache costs, beside bare lru-cache: node bench/micro/adaptive-cache.mjs
import { LRUCache } from 'lru-cache';
import { AdaptiveCache } from '../../dist/cache/adaptive-cache.js';
import { keysOf } from '../harness/values.mjs';
import { compare } from './compare.mjs';

const ENTRIES = 10_000;
const KEYS = keysOf(ENTRIES);

/** @param {{ get(key: string): unknown }} cache @param {(key: string, value: unknown) => unknown} put @param {(i: number) => unknown} valueFor */
function opened(cache, put, valueFor) {
  for (const [i, key] of KEYS.entries()) put(key, valueFor(i));
  let next = 0;
  // A step that meets every key, not in their order.
  const key = () => {
    next = (next + 7919) % ENTRIES;
    return /** @type {string} */ (KEYS[next]);
  };
  return {
    get() {
      if (cache.get(key()) === undefined) throw new Error('expected a value');
    },
    put: () => put(key(), valueFor(next)),
    miss() {
      if (cache.get('there is no such key') !== undefined) throw new Error('expected none');
    },
  };
}

const VALUES = {
  'strings of 1 kB': (/** @type {number} */ i) => String(i).padEnd(1000, 'x'),
  'buffers of 1 kB': (/** @type {number} */ i) => Buffer.alloc(1000, i),
  'small objects': (/** @type {number} */ i) => ({
    path: `photos/${i}.jpg`,
    width: 4000 + i,
    tags: ['a', 'b'],
  }),
};

for (const [name, valueFor] of Object.entries(VALUES)) {
  const adaptive = new AdaptiveCache({ maxBytes: '256MB' });
  adaptive.resize('64MB');
  const bare = new LRUCache({ max: ENTRIES });
  const ours = opened(adaptive, (key, value) => adaptive.put(key, value), valueFor);
  const theirs = opened(bare, (key, value) => bare.set(key, /** @type {{}} */ (value)), valueFor);
  for (const operation of /** @type {const} */ (['get', 'put', 'miss']))
    await compare(`adaptive cache: ${operation}, ${name}`, {
      adaptive: ours[operation],
      'lru-cache, by entries': theirs[operation],
    });
}
