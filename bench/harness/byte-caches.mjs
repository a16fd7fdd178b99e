// Our byte cache and lru-cache, held the same way. Values that go in are copied: the caller goes on with its buffer.

/**
 * @typedef {object} HeldCache
 * @property {(key: string, value: Buffer) => void} set copies
 * @property {(key: string) => Uint8Array} copy a copy, the caller's own
 * @property {(key: string, see: (bytes: Uint8Array) => void) => void} lend the value for the time of a call
 */

/** Room for keys and metadata as well. @param {number} payloadBytes */
const withRoom = (payloadBytes) => Math.ceil(payloadBytes * 1.25) + 64e6;

/** @param {number} payloadBytes @returns {Promise<HeldCache>} */
export async function openOurs(payloadBytes) {
  const { ByteCache } = await import('../../dist/index.js');
  const cache = new ByteCache({ maxBytes: withRoom(payloadBytes) });
  return {
    set: (key, value) => {
      if (!cache.set(key, value)) throw new Error(`expected room for ${key}`);
    },
    copy: (key) => /** @type {Uint8Array} */ (cache.get(key)),
    lend(key, see) {
      const lease = cache.lease(key);
      see(/** @type {{ bytes: Uint8Array }} */ (lease).bytes);
      lease?.release();
    },
  };
}

/**
 * Bounded by entries: its fastest way, as sizes have to be added up for the other.
 * @param {number} entries @param {'copy' | 'reused' | 'ref'} way how a value is lent: a fresh copy, a copy into a
 * buffer that is used again, or the cached object itself
 * @returns {Promise<HeldCache>}
 */
export async function openLru(entries, way = 'copy') {
  const { LRUCache } = await import('lru-cache');
  /** @type {import('lru-cache').LRUCache<string, Buffer>} */
  const cache = new LRUCache({ max: entries });
  const target = Buffer.alloc(2 ** 20);
  const get = (/** @type {string} */ key) => /** @type {Buffer} */ (cache.get(key));
  return {
    set: (key, value) => {
      cache.set(key, Buffer.from(value));
    },
    copy: way === 'ref' ? get : (key) => Buffer.from(get(key)),
    lend(key, see) {
      const value = get(key);
      if (way === 'copy') see(Buffer.from(value));
      else see(target.subarray(0, value.copy(target)));
    },
  };
}
