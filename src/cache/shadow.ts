// Remembers which keys left a cache last, without keeping them.

/** A power of two: 32 kB whatever the keys are. */
const SLOTS = 8192;

/** The hashes of about the last 8192 keys that were put in: a newer key takes the place of one that shares its slot. */
export class Shadow {
  static readonly bytes = SLOTS * Uint32Array.BYTES_PER_ELEMENT;
  readonly #hashes = new Uint32Array(SLOTS);

  remember(key: string | number): void {
    const hash = hashOf(key);
    this.#hashes[hash % SLOTS] = hash;
  }

  /** Whether the key was there; it no longer is. */
  forget(key: string | number): boolean {
    const hash = hashOf(key);
    if (this.#hashes[hash % SLOTS] !== hash) return false;
    this.#hashes[hash % SLOTS] = 0;
    return true;
  }

  clear(): void {
    this.#hashes.fill(0);
  }
}

/** FNV-1a over UTF-16 units, never 0; `1` and `'1'` are different keys. */
function hashOf(key: string | number): number {
  const text = String(key);
  let hash = typeof key === 'number' ? 0x811c9dc5 : 0x811c9dc4;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0 || 1;
}
