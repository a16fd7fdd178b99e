// The cost above which memory refused a batch: kept, and tried again later.

/** Batches at the ceiling before one a little larger is tried: what took the memory may be gone. */
const PROBE_AFTER = 64;

export class Ceiling {
  #cost = Number.POSITIVE_INFINITY;
  /** The largest that went through since the last refusal. */
  #proven = 0;
  #calm = 0;

  /** No batch should cost more. */
  get cost(): number {
    return this.#cost;
  }

  /** Halves; where it was a probe that was refused, what went through before holds again. */
  refused(cost: number): void {
    if (cost <= this.#proven) this.#proven = 0;
    this.#cost = Math.max(this.#proven, cost / 2);
    this.#calm = 0;
  }

  /** `unit`: what one item costs, by which the ceiling rises once it has held for long. */
  ran(cost: number, unit: number): void {
    this.#proven = Math.max(this.#proven, cost);
    // It was tried again once memory had been given back.
    if (cost > this.#cost) this.#cost = cost;
    if (this.#cost === Number.POSITIVE_INFINITY || cost + unit <= this.#cost) return;
    if (++this.#calm >= PROBE_AFTER) this.#cost += unit;
  }
}
