// The least that was held in each window of items: garbage comes and goes, what is never given back stays below it.

/** The lowest point of a window: bytes, and after how many items they were seen. */
export interface Floor {
  readonly items: number;
  readonly bytes: number;
}

/**
 * A series of any length in at most `capacity` windows of equally many items. When the windows run out they merge
 * in pairs, each keeping its lower floor, and are twice as wide from then on.
 */
export class Floors {
  readonly #items: Float64Array;
  readonly #bytes: Float64Array;
  #length = 0;
  #width = 1;
  #samples = 0;

  constructor(capacity: number) {
    this.#items = new Float64Array(capacity);
    this.#bytes = new Float64Array(capacity);
  }

  /** How often `add` was called. */
  get samples(): number {
    return this.#samples;
  }

  /** Items must not fall. */
  add(items: number, bytes: number): void {
    this.#samples++;
    while (this.#length === this.#items.length && !this.#falls(items)) this.#merge();
    const last = this.#length - 1;
    if (!this.#falls(items)) this.#put(this.#length++, items, bytes);
    else if (bytes < (this.#bytes[last] as number)) this.#put(last, items, bytes);
  }

  /** The floors so far, in order. */
  list(): Floor[] {
    return Array.from({ length: this.#length }, (_, i) => ({
      items: this.#items[i] as number,
      bytes: this.#bytes[i] as number,
    }));
  }

  /** Whether `items` falls into the last window there is. */
  #falls(items: number): boolean {
    return (
      this.#length > 0 && this.#windowOf(this.#items[this.#length - 1] as number) === this.#windowOf(items)
    );
  }

  #windowOf(items: number): number {
    return Math.floor(items / this.#width);
  }

  #merge(): void {
    this.#width *= 2;
    const old = this.#length;
    this.#length = 0;
    for (let i = 0; i < old; i++) {
      const [items, bytes] = [this.#items[i] as number, this.#bytes[i] as number];
      const last = this.#length - 1;
      if (!this.#falls(items)) this.#put(this.#length++, items, bytes);
      else if (bytes < (this.#bytes[last] as number)) this.#put(last, items, bytes);
    }
  }

  #put(index: number, items: number, bytes: number): void {
    this.#items[index] = items;
    this.#bytes[index] = bytes;
  }
}
