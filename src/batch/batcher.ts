// Gathers single items into batches for a model: dispatches at once when idle, fills up while a run is busy.
import { dueAt } from '../util/due.js';
import { Backlog } from './backlog.js';
import type { BatchRunner } from './batch-runner.js';
import type { Size } from './batch-size.js';
import {
  type BatcherOptions,
  type BatcherPlan,
  planBatcher,
  planSubmission,
  type SubmitOptions,
} from './batcher-options.js';
import { Cleanup, type CleanupFigures, cleanupMeans } from './cleanup.js';
import type { CleanupReport } from './events.js';
import { Former } from './former.js';
import { Job, type JobKeeper, MOST_TIMER_MS } from './job.js';
import { EqualShapes, type Joiner } from './joiner.js';
import { Ladder } from './ladder.js';
import { PaddedItems } from './padding.js';
import { planPadding } from './padding-plan.js';
import { checkItem, type Item } from './rows.js';
import { Runs } from './runs.js';
import { type BatchFit, Sizing } from './sizing.js';
import { Staging } from './staging.js';
import { Standby } from './standby.js';

export interface BatcherStats extends CleanupFigures {
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
  /** Items that ran on the fallback because memory refused each alone. */
  readonly rescued: number;
  /** Whether the model is used no more because its device is lost. */
  readonly retired: boolean;
  /** What the fallback was opened for: the lost device, else the first refusal; undefined while it was not needed. */
  readonly fallbackCause: unknown;
  /** Of the tokens that ran, that were padding. */
  readonly padding: number;
  /** What the last batch could have held, in items, or in tokens where lengths vary, and what bound it. */
  readonly size: Size | undefined;
  /** Undefined until batches of two sizes ran. */
  readonly fit: BatchFit | undefined;
}

/**
 * Runs items whose tensors all have a first dimension of 1. Those of one shape share batches, with `pad` also those that
 * differ in one length; outputs are split again along the first dimension, cut back to the item's length, and each
 * submitter gets a copy of its own row.
 *
 * Order: every promise settles with its own item's outputs, so whoever awaits them in order of submission has the
 * results in that order. They *settle* in order of submission among items of one shape and priority while one batch
 * runs at a time; items of other shapes, lengths or priorities, and concurrent runs, may overtake. Among those that
 * wait, the most urgent item is always in the next batch.
 */
export class Batcher {
  readonly #model: Standby;
  readonly #plan: BatcherPlan;
  readonly #joiner: Joiner;
  readonly #backlog = new Backlog<Job>();
  readonly #sizing: Sizing;
  readonly #former: Former;
  readonly #staging = new Staging();
  readonly #runs: Runs;
  readonly #ladder: Ladder;
  readonly #cleanup: Cleanup;
  readonly #counts = { splits: 0, expired: 0, rescued: 0 };
  readonly #keeper: JobKeeper = {
    leave: (job) => this.#backlog.remove(job),
    expired: () => this.#counts.expired++,
  };
  #submitted = 0;
  #running = 0;
  #held = false;
  /** The batch that began last. */
  #settled: Promise<void> = Promise.resolve();
  #turn: NodeJS.Immediate | undefined;
  #gathering: NodeJS.Timeout | undefined;

  /** Throws `ERR_INVALID_ARGUMENT`. */
  constructor(model: BatchRunner, options: BatcherOptions = {}) {
    this.#plan = planBatcher(options, model.concurrency);
    const { holdBack, signal, pad, relief, fallback, cleanup } = this.#plan;
    this.#model = new Standby(model, fallback);
    this.#cleanup = new Cleanup(cleanup, cleanupMeans(model.device ?? 'cpu', this.#staging));
    this.#joiner = pad ? new PaddedItems(planPadding(pad, model)) : new EqualShapes();
    this.#sizing = new Sizing(this.#plan);
    this.#former = new Former(this.#plan, this.#joiner, this.#sizing);
    this.#runs = new Runs(this.#joiner, this.#former, this.#sizing, this.#staging);
    this.#ladder = new Ladder({
      attempt: (jobs) => this.#attempt(jobs),
      fits: (jobs) => this.#former.costOf(jobs) <= this.#sizing.ceilingOf(this.#former.shapeOf(jobs)),
      refused: (jobs) => this.#refused(jobs),
      reliefs: [() => this.#cleanup.relieve('refused'), ...(relief ? [relief] : [])],
      holdBack,
      elsewhere: (jobs, refusal) => (this.#model.hasOther ? this.#rescue(jobs, refusal) : undefined),
    });
    signal?.addEventListener('abort', () => this.#abort(signal.reason), { once: true });
  }

  /**
   * Queues one item and resolves with its outputs. Its tensors are copied when the batch starts and must stay as
   * they are until the promise settles. Throws `ERR_INVALID_ARGUMENT`; rejects with what the model rejects with,
   * `ERR_DEADLINE`, or the reason of the signal that aborted.
   */
  submit(item: Item, options: SubmitOptions = {}): Promise<Item> {
    checkItem(item);
    const { priority, deadlineMs } = planSubmission(options, this.#plan.priority);
    const aborted = this.#plan.signal?.aborted ? this.#plan.signal : options.signal;
    if (aborted?.aborted) return Promise.reject(aborted.reason);
    const now = performance.now();
    const plan = {
      item,
      length: Math.max(1, this.#joiner.lengthOf(item)),
      lane: this.#joiner.laneOf(item),
      priority,
      due: dueAt(now, priority),
      serial: this.#submitted++,
      since: now,
      deadlineAt: now + deadlineMs,
      signal: options.signal,
    };
    const job = new Job(plan, this.#keeper);
    this.#backlog.add(job);
    this.#pump();
    return job.outputs;
  }

  /** Runs that are handed to the model at a time at most. */
  get concurrency(): number {
    return this.#plan.concurrency;
  }

  stats(): BatcherStats {
    return {
      ...this.#runs.figures(),
      ...this.#cleanup.figures(),
      ...this.#counts,
      retired: this.#model.retired,
      fallbackCause: this.#model.cause,
      waiting: this.#backlog.length,
      running: this.#running,
      size: this.#former.size,
      fit: this.#sizing.fit(),
    };
  }

  /** Gives back what batches left behind, whatever the policy says, and says what that was. */
  clean(): Promise<CleanupReport> {
    return this.#cleanup.clean('asked');
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
    if (this.#isHeld()) return;
    while (this.#running < this.#plan.concurrency) {
      const jobs = this.#next();
      if (!jobs) return;
      this.#running++;
      void this.#work(jobs);
    }
  }

  /** Whether no batch may begin now; when one may again, it is seen to. */
  #isHeld(): boolean {
    if (this.#held) return true;
    const held = this.#backlog.length > 0 ? this.#plan.hold?.() : undefined;
    if (!held) return false;
    this.#held = true;
    const goOn = () => {
      this.#held = false;
      this.#pump();
    };
    held.then(goOn, goOn);
    return true;
  }

  async #work(jobs: readonly Job[]): Promise<void> {
    // Where one was refused, the next, which was handed over already, comes after all its attempts.
    const before = this.#plan.inTurn ? this.#settled : undefined;
    this.#settled = this.#ladder.run(jobs, before).catch((error: unknown) => {
      for (const job of jobs) job.reject(error);
    });
    await this.#settled;
    await this.#cleanup.afterBatch();
    this.#running--;
    if (this.#running === 0 && this.#backlog.length === 0) this.#staging.clear();
    this.#pump();
  }

  /** The jobs of the next batch; undefined where nothing waits, or may wait for more to come. */
  #next(): readonly Job[] | undefined {
    const now = performance.now();
    let wake = Number.POSITIVE_INFINITY;
    for (const lane of this.#backlog.lanes()) {
      const { jobs, full } = this.#former.form(lane);
      const until = (lane[0] as Job).since + this.#plan.maxLatencyMs;
      if (full || this.#running === 0 || until <= now) return this.#take(jobs, now);
      wake = Math.min(wake, until);
    }
    if (Number.isFinite(wake))
      this.#gathering = setTimeout(() => this.#dispatch(), Math.min(MOST_TIMER_MS, wake - now));
    return undefined;
  }

  #take(jobs: readonly Job[], now: number): readonly Job[] {
    this.#backlog.take(jobs, this.#former.reachOf(jobs));
    // Where the loop was blocked, their timers come too late.
    for (const job of jobs) if (job.deadlineAt <= now) job.expire();
    return jobs;
  }

  async #attempt(jobs: readonly Job[]): Promise<readonly Item[]> {
    this.#plan.signal?.throwIfAborted();
    return this.#model.run((runner) => this.#runs.run(runner, jobs));
  }

  async #rescue(jobs: readonly Job[], refusal: unknown): Promise<readonly Item[]> {
    const outputs = await this.#model.runOnOther(refusal, (runner) => this.#runs.run(runner, jobs));
    this.#counts.rescued += jobs.length;
    return outputs;
  }

  #refused(jobs: readonly Job[]): void {
    if (jobs.length > 1) this.#counts.splits++;
    this.#sizing.refused(this.#former.shapeOf(jobs), this.#former.costOf(jobs));
  }

  #abort(reason: unknown): void {
    for (const job of this.#backlog.drain()) job.reject(reason);
    this.#runs.abort(reason);
  }
}
