// Which of the items that wait make up the next batch.
import type { Size, SizeBound } from './batch-size.js';
import type { Job } from './job.js';
import type { Joiner } from './joiner.js';
import { pack } from './packing.js';
import type { Sizing } from './sizing.js';

export interface FormerPlan {
  /** Tokens in a batch at most, padding included. */
  readonly tokenBudget: number;
  /** Of these, that may be padding. */
  readonly maxPadding: number;
}

/** A batch as it would be if it began now. */
export interface Formed {
  readonly jobs: readonly Job[];
  /** It would not grow by waiting. */
  readonly full: boolean;
}

/** Items of one lane among which neighbours in length are sought. */
const WINDOW = 1024;

export class Former {
  readonly #plan: FormerPlan;
  readonly #joiner: Joiner;
  readonly #sizing: Sizing;
  #size: Size | undefined;

  constructor(plan: FormerPlan, joiner: Joiner, sizing: Sizing) {
    this.#plan = plan;
    this.#joiner = joiner;
    this.#sizing = sizing;
  }

  /** What the batch formed last could have held, and why not more. */
  get size(): { readonly cost: number; readonly bound: SizeBound } | undefined {
    return this.#size;
  }

  /** The batch of a lane's first job and others of its first `WINDOW`. */
  form(lane: readonly Job[]): Formed {
    const { lane: name, length } = lane[0] as Job;
    if (this.#joiner.ragged) return this.#formRagged(name, length, lane.slice(0, WINDOW));
    // Items of equal shapes are counted; a lane of theirs has one length.
    const budget = Math.floor(this.#plan.tokenBudget / length);
    const { cost, bound } = this.#sizing.next(name, 1, budget);
    const most = Math.min(WINDOW, Math.floor(cost));
    this.#size = { cost: most, bound };
    return { jobs: lane.slice(0, most), full: lane.length >= most };
  }

  /** Among how many of its lane's first the jobs of a batch are. */
  reachOf(jobs: readonly Job[]): number {
    return this.#joiner.ragged ? WINDOW : jobs.length;
  }

  /** What a batch costs: items, or tokens with their padding. */
  costOf(jobs: readonly Job[]): number {
    return this.#joiner.ragged ? jobs.length * longestOf(jobs) : jobs.length;
  }

  /** What batches are measured by: their lane, and where lengths vary, the octave of the longest. */
  shapeOf(jobs: readonly Job[]): string {
    const { lane } = jobs[0] as Job;
    return this.#joiner.ragged ? shapeName(lane, longestOf(jobs)) : lane;
  }

  #formRagged(name: string, length: number, window: readonly Job[]): Formed {
    const { tokenBudget, maxPadding: padding } = this.#plan;
    const { items, cost, bound } = this.#sizing.next(shapeName(name, length), length, tokenBudget);
    this.#size = { cost, bound };
    const lengths = window.map((job) => job.length);
    const jobs = pack(lengths, { items, tokens: cost, padding }).map((place) => window[place] as Job);
    return { jobs, full: jobs.length >= items || this.costOf(jobs) + length > cost };
  }
}

/** A token of a long item costs more than one of a short (attention looks at each pair), so the two are not compared. */
function shapeName(lane: string, length: number): string {
  return `${lane} ${Math.floor(Math.log2(length))}`;
}

export function longestOf(jobs: readonly Job[]): number {
  return jobs.reduce((most, { length }) => Math.max(most, length), 1);
}
