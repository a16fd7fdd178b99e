// How large the next batch of one shape is: the least of what memory, latency and the knee of the curve allow.
import { kneeOf, type Line } from '../util/knee.js';
import { Ceiling } from './ceiling.js';
import { CostCurve } from './cost-curve.js';

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
 * (the budget of tokens), `latency`, `knee` (larger would gain nothing), or `ramp`: larger has not been tried yet.
 */
export type SizeBound =
  | 'maxBatch'
  | 'minBatch'
  | 'memory'
  | 'refused'
  | 'tokens'
  | 'latency'
  | 'knee'
  | 'ramp';

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

/** The first batch where no latency is owed; what gains most of the speed of a batch on most models. */
const FIRST_BATCH = 8;
/** Runs that a knee is worth something after: through two points there is always a line. */
const KNEE_AFTER = 6;
/** Batches at the cheapest size before a larger one that proved worse is tried again. */
const HOLD = 64;
/** Of the latency, so that not every other run breaches it. */
const LATENCY_AIM = 0.85;

/**
 * Grows while what it gave was used up: by doubling until something is first breached, as TCP's slow start does
 * (Jacobson, Congestion Avoidance and Control, 1988), by one from then on. Halves on a breach of the latency, and goes
 * to the cheapest size that is known where its own proved worse.
 */
export class BatchSize {
  readonly time = new CostCurve();
  readonly bytes = new CostCurve();
  readonly #plan: SizePlan;
  readonly #ceiling = new Ceiling();
  /** How far it has grown. */
  #reached: Size = { cost: 0, bound: 'ramp' };
  #breached = false;
  /** What the last batch could have been. */
  #given = 0;
  #runs = 0;
  /** Runs before a size that proved worse is tried again. */
  #growAfter = 0;

  constructor(plan: SizePlan) {
    this.#plan = plan;
  }

  /** The size of the next batch, of items that cost about `unit` each; always room for one item. */
  next(unit: number, room: Room): Size {
    const { minBatch, maxBatch } = this.#plan;
    if (this.#reached.cost === 0) this.#reached = { cost: unit * this.#firstBatch(), bound: 'ramp' };
    const line = this.time.line();
    const wanted = least([
      [this.#reached.cost, this.#reached.bound],
      [line ? this.#withinLatency(line) : Number.POSITIVE_INFINITY, 'latency'],
      [line && this.#runs > KNEE_AFTER ? kneeOf(line) : Number.POSITIVE_INFINITY, 'knee'],
    ]);
    const least_ = minBatch * unit;
    const allowed = least([
      [maxBatch * unit, 'maxBatch'],
      [Math.min(room.items * unit, this.#within(room.bytes)), 'memory'],
      [this.#ceiling.cost, 'refused'],
      [room.tokens, 'tokens'],
    ]);
    const raised: Size = wanted.cost < least_ ? { cost: least_, bound: 'minBatch' } : wanted;
    const { cost, bound } = raised.cost < allowed.cost ? raised : allowed;
    this.#given = Math.max(unit, cost);
    return { cost: this.#given, bound };
  }

  ran({ cost, unit, ms, bytes }: BatchRun): void {
    const { maxBatch, maxLatencyMs } = this.#plan;
    this.#ceiling.ran(cost, unit);
    // The first run of a shape lays out memory, and says little of the next.
    if (this.#runs++ > 0) this.time.add(cost, ms);
    if (bytes !== undefined) this.bytes.add(cost, bytes);
    const reached = this.#reached.cost;
    // A batch for which too little waited says nothing of the size that was meant.
    const better = cost + unit > this.#given ? this.time.better(cost) : undefined;
    if (ms > maxLatencyMs) this.#breach(Math.max(unit, Math.min(reached, cost) / 2), 'latency');
    else if (better !== undefined && better < cost) {
      this.#breach(Math.max(unit, better), 'knee');
      this.#growAfter = this.#runs + HOLD;
    } else if (better !== undefined && better > reached) this.#reached = { cost: better, bound: 'ramp' };
    else if (cost + unit > reached && this.#runs >= this.#growAfter) {
      const grown = this.#breached ? reached + unit : 2 * reached;
      this.#reached = { cost: Math.max(reached, Math.min(grown, maxBatch * unit)), bound: 'ramp' };
    }
  }

  get ceiling(): number {
    return this.#ceiling.cost;
  }

  /** A batch was refused by memory. */
  refused(cost: number): void {
    this.#ceiling.refused(cost);
  }

  #breach(cost: number, bound: SizeBound): void {
    this.#breached = true;
    this.#reached = { cost, bound };
  }

  #firstBatch(): number {
    const { minBatch, maxBatch, maxLatencyMs } = this.#plan;
    return maxLatencyMs < Number.POSITIVE_INFINITY
      ? minBatch
      : Math.max(minBatch, Math.min(FIRST_BATCH, maxBatch));
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

/** The smallest; of equals the first. */
function least(bounds: readonly (readonly [cost: number, bound: SizeBound])[]): Size {
  const [cost, bound] = bounds.reduce((best, each) => (each[0] < best[0] ? each : best));
  return { cost, bound };
}
