// How large the next batch of one shape is: the least of what memory, latency and the knee of the curve allow.
import { kneeOf, type Line } from '../util/knee.js';
import { Ceiling } from './ceiling.js';
import { CostCurve, roundedSize } from './cost-curve.js';

export interface SizePlan {
  /** Items. */
  readonly minBatch: number;
  readonly maxBatch: number;
  /** A run takes no longer, if a batch of `minBatch` does not. */
  readonly maxLatencyMs: number;
}

/** What is left for the next batch. */
export interface Room {
  /** Items at most. */
  readonly items: number;
  /** Tokens at most. */
  readonly tokens: number;
  /** Bytes that a run may take; `Infinity` where that is not bounded. */
  readonly bytes: number;
}

/**
 * What bound a size: `maxBatch`, `minBatch`, `memory` (the room there is), `refused` (an earlier batch was), `tokens`
 * (the budget of tokens), `latency`, `knee` (larger would gain nothing), `ramp` (larger has not been tried yet), or
 * `probe`: a smaller one was tried for once.
 */
export type SizeBound =
  | 'maxBatch'
  | 'minBatch'
  | 'memory'
  | 'refused'
  | 'tokens'
  | 'latency'
  | 'knee'
  | 'ramp'
  | 'probe';

export interface Size {
  /** In units of items; tokens where lengths vary. */
  readonly cost: number;
  readonly bound: SizeBound;
}

/** What a batch took. */
export interface BatchRun {
  readonly cost: number;
  /** Of one item. */
  readonly unit: number;
  readonly ms: number;
  /** At its peak; undefined where that cannot be told. */
  readonly bytes: number | undefined;
}

/** The first batch where no latency is owed: what most models gain most by, and small jobs end with. */
const FIRST_BATCH = 8;
/** Smaller sizes, each tried once so that it is known, and after how many runs. */
const LOOK_DOWN = [4, 2, 1];
const LOOK_DOWN_AFTER = 8;
/**
 * Of the size of the last batch, and how often each is tried, now and then: what the first runs of all said may be wrong, and
 * the first ones of each trial have memory laid out.
 */
const LOOK_AGAIN = [1 / 2, 1 / 4];
const LOOKS = 5;
const LOOK_AGAIN_AFTER = 24;
/** Runs that a knee is worth something after: through two points there is always a line. */
const KNEE_AFTER = 6;
/** Batches before smaller sizes, or a larger one that proved worse, are tried again; twice as many after each time. */
const HOLD = 64;
const LONGEST_HOLD = 4096;
/** To the next size that the curve tells from this one. */
const STEP = Math.SQRT2;
/** Of the latency, so that not every other run breaches it. */
const LATENCY_AIM = 0.85;

/**
 * Grows while what it gave was used up: by doubling until something is first breached, as TCP's slow start does
 * (Jacobson, Congestion Avoidance and Control, 1988). From then on by one where a latency is owed, which a breach halves
 * it for; else by a step now and then, and goes to the cheapest size that is known where its own proved worse.
 */
export class BatchSize {
  readonly time = new CostCurve();
  readonly bytes = new CostCurve();
  readonly #plan: SizePlan;
  readonly #ceiling = new Ceiling();
  /** How far it has grown. */
  #reached: Size = { cost: 0, bound: 'ramp' };
  #breached = false;
  /** Smaller sizes that were not looked at yet, in items. */
  #below: number[];
  #lookAgainAfter = LOOK_AGAIN_AFTER;
  #lookHold = HOLD;
  /** What the last batch could have been. */
  #given = 0;
  #runs = 0;
  /** Runs before a size that proved worse is tried again. */
  #growAfter = 0;
  #hold = HOLD;

  constructor(plan: SizePlan) {
    this.#plan = plan;
    this.#below = LOOK_DOWN.filter((items) => items >= plan.minBatch && items < this.#firstBatch());
  }

  /** The size of the next batch, of items that cost about `unit` each; always room for one item. */
  next(unit: number, room: Room): Size {
    const { minBatch, maxBatch } = this.#plan;
    const probe = this.#runs >= LOOK_DOWN_AFTER ? this.#below[0] : undefined;
    if (this.#reached.cost === 0) this.#reached = { cost: unit * this.#firstBatch(), bound: 'ramp' };
    const line = this.#plan.maxLatencyMs < Number.POSITIVE_INFINITY ? this.time.line() : undefined;
    const wanted = least([
      [this.#reached.cost, this.#reached.bound],
      [line ? this.#withinLatency(line) : Number.POSITIVE_INFINITY, 'latency'],
      [this.#runs > KNEE_AFTER ? this.#knee(unit) : Number.POSITIVE_INFINITY, 'knee'],
    ]);
    const allowed = least([
      [maxBatch * unit, 'maxBatch'],
      [Math.min(room.items * unit, this.#within(room.bytes)), 'memory'],
      [this.#ceiling.cost, 'refused'],
      [room.tokens, 'tokens'],
    ]);
    const aimed = probe === undefined ? wanted : ({ cost: probe * unit, bound: 'probe' } as const);
    const raised =
      aimed.cost < minBatch * unit ? ({ cost: minBatch * unit, bound: 'minBatch' } as const) : aimed;
    const { cost, bound } = raised.cost < allowed.cost ? raised : allowed;
    this.#given = Math.max(unit, cost);
    return { cost: this.#given, bound };
  }

  ran({ cost, unit, ms, bytes }: BatchRun): void {
    const { maxBatch, maxLatencyMs } = this.#plan;
    this.#ceiling.ran(cost, unit);
    if (bytes !== undefined) this.bytes.add(cost, bytes);
    // The first run of a shape lays out memory, and says little of the next.
    if (this.#runs++ > 0) this.time.add(cost, ms);
    if (Math.round(cost / unit) === this.#below[0]) this.#below.shift();
    else if (this.#runs >= this.#lookAgainAfter && maxLatencyMs === Number.POSITIVE_INFINITY)
      this.#lookAgain(unit);
    const reached = this.#reached.cost;
    // A batch for which too little waited says nothing of the size that was meant.
    const full = cost + unit > this.#given;
    const found = full ? this.time.better(cost) : undefined;
    const better = found === undefined ? undefined : rounded(found, unit);
    if (ms > maxLatencyMs) this.#breach(Math.max(unit, Math.min(reached, cost) / 2), 'latency');
    else if (better !== undefined && better < cost) {
      this.#breach(better, 'knee');
      this.#growAfter = this.#runs + this.#hold;
      this.#hold = Math.min(LONGEST_HOLD, 2 * this.#hold);
    } else if (better !== undefined && better > reached && maxLatencyMs === Number.POSITIVE_INFINITY)
      this.#reached = { cost: better, bound: 'ramp' };
    else if (
      cost + unit > reached &&
      this.#runs >= this.#growAfter &&
      (!this.#breached || this.time.knows(cost))
    )
      this.#reached = {
        cost: Math.max(reached, Math.min(this.#grown(unit), maxBatch * unit)),
        bound: 'ramp',
      };
  }

  get ceiling(): number {
    return this.#ceiling.cost;
  }

  /** A batch was refused by memory. */
  refused(cost: number): void {
    this.#ceiling.refused(cost);
  }

  #lookAgain(unit: number): void {
    this.#lookAgainAfter = this.#runs + this.#lookHold;
    this.#lookHold = Math.min(LONGEST_HOLD, 2 * this.#lookHold);
    const given = this.#given / unit;
    this.#below = LOOK_AGAIN.flatMap((share) => {
      const items = rounded(share * given, 1);
      return items >= this.#plan.minBatch && items < given ? new Array<number>(LOOKS).fill(items) : [];
    });
  }

  #grown(unit: number): number {
    const reached = this.#reached.cost;
    if (!this.#breached) return 2 * reached;
    if (this.#plan.maxLatencyMs < Number.POSITIVE_INFINITY) return reached + unit;
    return Math.max(reached + unit, rounded(STEP * reached, unit));
  }

  #breach(cost: number, bound: SizeBound): void {
    this.#breached = true;
    this.#reached = { cost, bound };
  }

  #firstBatch(): number {
    const { minBatch, maxBatch, maxLatencyMs } = this.#plan;
    if (maxLatencyMs < Number.POSITIVE_INFINITY) return minBatch;
    return Math.max(minBatch, Math.min(FIRST_BATCH, maxBatch));
  }

  /** By the line, but not below what proved cheap. */
  #knee(unit: number): number {
    const gain = this.time.gain();
    if (!gain) return Number.POSITIVE_INFINITY;
    return rounded(Math.max(kneeOf(gain), this.time.smallestCheap()), unit);
  }

  #withinLatency({ perUnit, perRun }: Line): number {
    const left = LATENCY_AIM * this.#plan.maxLatencyMs - perRun;
    return perUnit === 0 ? Number.POSITIVE_INFINITY : Math.max(0, left / perUnit);
  }

  #within(bytes: number): number {
    const line = bytes < Number.POSITIVE_INFINITY ? this.bytes.line() : undefined;
    if (!line || line.perUnit === 0) return Number.POSITIVE_INFINITY;
    return Math.max(0, (bytes - line.perRun) / line.perUnit);
  }
}

/**
 * To one of the sizes that the curve tells apart, of one item at least: each that is new has memory laid out for it, so
 * sizes that follow every change of an estimate would cost more than they gain.
 */
function rounded(cost: number, unit: number): number {
  return unit * roundedSize(Math.max(1, cost / unit));
}

/** The smallest; of equals the first. */
function least(bounds: readonly (readonly [cost: number, bound: SizeBound])[]): Size {
  const [cost, bound] = bounds.reduce((best, each) => (each[0] < best[0] ? each : best));
  return { cost, bound };
}
