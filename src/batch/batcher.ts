// Gathers single items into batches for a model: dispatches at once when idle, fills up while a run is busy.
import { Backlog, dueAt } from './backlog.js';
import type { BatchRunner } from './batch-runner.js';
import type { SizeBound } from './batch-size.js';
import {
  type BatcherOptions,
  type BatcherPlan,
  planBatcher,
  planSubmission,
  type SubmitOptions,
} from './batcher-options.js';
import { Job, MOST_TIMER_MS } from './job.js';
import { Ladder } from './ladder.js';
import { checkItem, type Item, shapeOf, splitRows, stackItems } from './rows.js';
import { type BatchFit, Sizing } from './sizing.js';

export interface BatcherStats {
  /** Items and batches that ran. */
  readonly items: number;
  readonly batches: number;
  /** Batches that were split because the budget refused their memory. */
  readonly splits: number;
  /** Items of the largest batch that ran. */
  readonly largest: number;
  /** Items that wait, and runs that are going on. */
  readonly waiting: number;
  readonly running: number;
  /** Items whose deadline passed before they began. */
  readonly expired: number;
  /** The last batch that was formed: how many items it could have had, and what bound it; undefined before. */
  readonly size: { readonly items: number; readonly bound: SizeBound } | undefined;
  /** Undefined until batches of two sizes ran. */
  readonly fit: BatchFit | undefined;
}

/**
 * Runs items whose tensors all have a first dimension of 1. Those of one shape share batches; outputs are split again
 * along the first dimension, and each submitter gets a copy of its own row.
 *
 * Order: every promise settles with its own item's outputs, so whoever awaits them in order of submission has the
 * results in that order. They *settle* in order of submission among items of one shape and priority while
 * `concurrency` is 1; items of other shapes or priorities, and concurrent runs, may overtake.
 */
export class Batcher {
  readonly #model: BatchRunner;
  readonly #plan: BatcherPlan;
  readonly #backlog = new Backlog<Job>();
  readonly #sizing: Sizing;
  readonly #ladder: Ladder;
  readonly #aborts = new Set<AbortController>();
  readonly #stats = { items: 0, batches: 0, splits: 0, largest: 0, expired: 0 };
  #size: BatcherStats['size'];
  #submitted = 0;
  #running = 0;
  #turn: NodeJS.Immediate | undefined;
  #gathering: NodeJS.Timeout | undefined;

  /** Throws `ERR_INVALID_ARGUMENT`. */
  constructor(model: BatchRunner, options: BatcherOptions = {}) {
    this.#model = model;
    this.#plan = planBatcher(options);
    const { holdBack, signal } = this.#plan;
    this.#sizing = new Sizing(this.#plan);
    this.#ladder = new Ladder({
      attempt: (jobs) => this.#attempt(jobs),
      refused: (jobs) => {
        if (jobs.length > 1) this.#stats.splits++;
        this.#sizing.refused(laneOf(jobs), jobs.length);
      },
      holdBack,
    });
    signal?.addEventListener('abort', () => this.#abortAll(signal.reason), { once: true });
  }

  /**
   * Queues one item and resolves with its outputs. Its tensors are copied when the batch starts and must stay as
   * they are until the promise settles. Throws `ERR_INVALID_ARGUMENT`; rejects with what the model rejects with,
   * `ERR_DEADLINE`, or the reason of the signal that aborted.
   */
  submit(item: Item, options: SubmitOptions = {}): Promise<Item> {
    checkItem(item);
    const { priority, deadlineMs } = planSubmission(options, this.#plan.priority);
    const aborted = [this.#plan.signal, options.signal].find((signal) => signal?.aborted);
    if (aborted) return Promise.reject(aborted.reason);
    const now = performance.now();
    const job = new Job(
      {
        item,
        lane: shapeOf(item),
        due: dueAt(now, priority),
        serial: this.#submitted++,
        since: now,
        deadlineAt: now + deadlineMs,
        signal: options.signal,
      },
      { leave: (leaving) => this.#backlog.remove(leaving), expired: () => this.#stats.expired++ },
    );
    this.#backlog.add(job);
    this.#pump();
    return job.outputs;
  }

  stats(): BatcherStats {
    return {
      ...this.#stats,
      waiting: this.#backlog.length,
      running: this.#running,
      size: this.#size,
      fit: this.#sizing.fit(),
    };
  }

  /** One turn of the loop lets the submitters of the same instant into the same batch, also those that a run let go on. */
  #pump(): void {
    this.#turn ??= setImmediate(() => {
      this.#turn = undefined;
      this.#dispatch();
    });
  }

  #dispatch(): void {
    clearTimeout(this.#gathering);
    while (this.#running < this.#plan.concurrency) {
      const jobs = this.#next();
      if (!jobs) return;
      this.#running++;
      void this.#work(jobs);
    }
  }

  async #work(jobs: readonly Job[]): Promise<void> {
    try {
      await this.#ladder.run(jobs);
    } catch (error) {
      for (const job of jobs) job.reject(error);
    }
    this.#running--;
    this.#pump();
  }

  /** The jobs of the next batch; undefined where nothing waits, or may wait for more to come. */
  #next(): readonly Job[] | undefined {
    const now = performance.now();
    let wake = Number.POSITIVE_INFINITY;
    for (const lane of this.#backlog.lanes()) {
      const { jobs, full } = this.#fill(lane);
      const until = (lane[0] as Job).since + this.#plan.maxLatencyMs;
      if (full || this.#running === 0 || until <= now) return this.#take(jobs, now);
      wake = Math.min(wake, until);
    }
    if (Number.isFinite(wake))
      this.#gathering = setTimeout(() => this.#dispatch(), Math.min(MOST_TIMER_MS, wake - now));
    return undefined;
  }

  /** The batch that the head of a lane would be in now; `full`: it would not grow by waiting. */
  #fill(lane: readonly Job[]): { jobs: readonly Job[]; full: boolean } {
    const { cost, bound } = this.#sizing.next(laneOf(lane), 1, Number.POSITIVE_INFINITY);
    const items = Math.floor(cost);
    this.#size = { items, bound };
    return { jobs: lane.slice(0, items), full: lane.length >= items };
  }

  #take(jobs: readonly Job[], now: number): readonly Job[] {
    this.#backlog.take(jobs, jobs.length);
    // Where the loop was blocked, their timers come too late.
    for (const job of jobs) if (job.deadlineAt <= now) job.expire();
    return jobs;
  }

  #abortAll(reason: unknown): void {
    for (const job of this.#backlog.drain()) job.reject(reason);
    for (const abort of this.#aborts) abort.abort(reason);
  }

  async #attempt(jobs: readonly Job[]): Promise<readonly Item[]> {
    this.#plan.signal?.throwIfAborted();
    const abort = new AbortController();
    // A run goes on as long as anybody waits for it.
    for (const job of jobs)
      job.abandoned = () => {
        if (jobs.every(({ settled }) => settled)) abort.abort();
      };
    this.#aborts.add(abort);
    try {
      const ran = this.#sizing.begin(laneOf(jobs), jobs.length, 1);
      const feeds = stackItems(jobs.map(({ item }) => item));
      const outputs = await this.#model.run(feeds, { signal: abort.signal });
      const rows = splitRows(outputs, jobs.length);
      ran();
      this.#stats.items += jobs.length;
      this.#stats.batches++;
      this.#stats.largest = Math.max(this.#stats.largest, jobs.length);
      return rows;
    } finally {
      this.#aborts.delete(abort);
    }
  }
}

function laneOf(jobs: readonly Job[]): string {
  return (jobs[0] as Job).lane;
}
