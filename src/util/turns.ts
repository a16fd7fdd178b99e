// At most so many at once; how many may change from moment to moment.

/** Hands out turns in order of asking. */
export class Turns {
  readonly #most: () => number;
  readonly #waiting: (() => void)[] = [];
  #taken = 0;

  /** `most`: asked whenever a turn is taken or given back, and by `wake`; at least one is always allowed. */
  constructor(most: () => number) {
    this.#most = most;
  }

  /** Runs `work` when its turn comes. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (!this.#free()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#taken++;
    try {
      return await work();
    } finally {
      this.#taken--;
      this.#serve();
    }
  }

  /** More may be allowed than before. */
  wake(): void {
    this.#serve();
  }

  #free(): boolean {
    return this.#taken < Math.max(1, this.#most());
  }

  #serve(): void {
    while (this.#waiting.length > 0 && this.#free()) {
      this.#taken++;
      this.#waiting.shift()?.();
    }
  }
}
