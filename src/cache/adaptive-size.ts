// How large a cache should be: as large as is of use, while there is room.

/** What a size is chosen by. */
export interface SizeOptions {
  /** Bytes that could still be had; asked a few times a second at most. */
  readonly available: () => number;
  /** Bytes the cache never grows beyond, whatever is available. */
  readonly most: number;
  /** Milliseconds. */
  readonly now: () => number;
}

/** Of what is available: the size to begin with, and the most a cache may come to. */
const FIRST_SHARE = 1 / 64;
const MOST_SHARE = 1 / 4;
/** A cache is never smaller: below that the list of what it holds weighs more than what it holds. */
export const LEAST_BYTES = 2 ** 20;
/** Requests after which it is decided whether to grow. */
const EPOCH = 256;
/** Growing has to turn one request in 200 into a hit. */
const LEAST_GAIN = 0.005;
const GROWTH = 1.5;
/** After memory was short a cache stays as it is for that long. */
const QUIET_MS = 5000;
const GROW_EVERY_MS = 100;

/**
 * Chooses the limit of a cache. What was evicted last leaves its key in a shadow; a request for such a key would
 * have been a hit in a larger cache. So the share of such requests is what growing would gain, with no need to try.
 *
 * The idea of shadow queues as the slope of the hit-rate curve is from A. Cidon et al., "Cliffhanger: Scaling
 * Performance Cliffs in Web Memory Caches", NSDI 2016.
 */
export class AdaptiveSize {
  readonly #options: SizeOptions;
  #limit: number;
  #requests = 0;
  #shadowHits = 0;
  #grows = 0;
  #shrinks = 0;
  #changedAt = Number.NEGATIVE_INFINITY;
  #quietUntil = Number.NEGATIVE_INFINITY;

  constructor(options: SizeOptions) {
    this.#options = options;
    this.#limit = Math.min(options.most, atLeast(options.available() * FIRST_SHARE));
  }

  /** Bytes. */
  get limit(): number {
    return this.#limit;
  }

  get grows(): number {
    return this.#grows;
  }

  get shrinks(): number {
    return this.#shrinks;
  }

  /**
   * Counts a request; `shadowed`: a larger cache would have had it. Grows at the end of an epoch where that is worth
   * it and `calm`. `held`: bytes the cache holds, which are its own to keep.
   */
  count(shadowed: boolean, calm: () => boolean, held: number): void {
    this.#requests++;
    if (shadowed) this.#shadowHits++;
    if (this.#requests < EPOCH) return;
    const gain = this.#shadowHits / this.#requests;
    this.#requests = 0;
    this.#shadowHits = 0;
    const now = this.#options.now();
    if (gain < LEAST_GAIN || now < this.#quietUntil || now - this.#changedAt < GROW_EVERY_MS || !calm())
      return;
    this.#changedAt = now;
    this.#grow(held);
  }

  /** Sets the limit by hand; it goes on from there. */
  set(bytes: number): void {
    this.#limit = Math.min(this.#options.most, atLeast(bytes));
  }

  /** Lowers the limit to a share of what is held, because memory is short. */
  yield(share: number, held: number): void {
    this.#limit = Math.min(this.#limit, atLeast(held * share));
    this.#quietUntil = this.#options.now() + QUIET_MS;
    this.#shrinks++;
  }

  #grow(held: number): void {
    const room = (this.#options.available() + held) * MOST_SHARE;
    const limit = Math.min(this.#limit * GROWTH, room, this.#options.most);
    if (limit <= this.#limit) return;
    this.#limit = Math.floor(limit);
    this.#grows++;
  }
}

function atLeast(bytes: number): number {
  return Math.max(LEAST_BYTES, Math.floor(bytes));
}
