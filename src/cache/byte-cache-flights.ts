// Loads under way, so that one key is loaded once at a time in a thread.
import type { CacheKey } from '../contract/index.js';

/** One set of flights for each name, as there is one cache. */
const byName = new Map<string, Flights>();

export class Flights {
  readonly #pending = new Map<string, Promise<Uint8Array>>();

  /** The flights of a named cache; flights of its own for a private one. */
  static of(name: string): Flights {
    if (name === '') return new Flights();
    const found = byName.get(name) ?? new Flights();
    byName.set(name, found);
    return found;
  }

  /** Starts `load`, or waits for the one under way and copies what it brings. */
  async join(key: CacheKey, load: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const id = typeof key === 'string' ? `s${key}` : `b${Buffer.from(key).toString('latin1')}`;
    const pending = this.#pending.get(id);
    if (pending) return (await pending).slice();
    const own = load();
    this.#pending.set(id, own);
    try {
      return await own;
    } finally {
      this.#pending.delete(id);
    }
  }
}
