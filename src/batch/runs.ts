// The runs of a batcher on its model: from jobs to the outputs of each.
import type { BatchRunner } from './batch-runner.js';
import { batchEvents } from './events.js';
import { type Former, longestOf } from './former.js';
import type { Job } from './job.js';
import type { Joiner } from './joiner.js';
import type { Item, Numeric } from './rows.js';
import type { Sizing } from './sizing.js';
import type { Staging } from './staging.js';

export class Runs {
  readonly #joiner: Joiner;
  readonly #former: Former;
  readonly #sizing: Sizing;
  readonly #staging: Staging;
  readonly #aborts = new Set<AbortController>();
  readonly #figures = { items: 0, batches: 0, largest: 0, tokens: 0, fed: 0 };

  constructor(joiner: Joiner, former: Former, sizing: Sizing, staging: Staging) {
    this.#joiner = joiner;
    this.#former = former;
    this.#sizing = sizing;
    this.#staging = staging;
  }

  /** Items and batches that ran, items of the largest, and the share of their tokens that was padding. */
  figures(): { items: number; batches: number; largest: number; padding: number } {
    const { tokens, fed, ...counts } = this.#figures;
    return { ...counts, padding: fed === 0 ? 0 : 1 - tokens / fed };
  }

  /** Ends what runs: it rejects with `reason`. */
  abort(reason: unknown): void {
    for (const abort of this.#aborts) abort.abort(reason);
  }

  /** Runs jobs of one lane as one batch. Goes on as long as anybody waits for it. */
  async run(model: BatchRunner, jobs: readonly Job[]): Promise<Item[]> {
    const abort = new AbortController();
    const abandoned = () => {
      if (jobs.every(({ settled }) => settled)) abort.abort();
    };
    for (const job of jobs) job.abandoned = abandoned;
    this.#aborts.add(abort);
    const taken: Numeric[] = [];
    const take = (like: Numeric, length: number) => {
      const elements = this.#staging.take(like, length);
      taken.push(elements);
      return elements;
    };
    try {
      const items = jobs.map(({ item }) => item);
      const cost = this.#former.costOf(jobs);
      const ran = this.#sizing.begin(this.#former.shapeOf(jobs), cost, cost / jobs.length);
      const feeds = this.#joiner.join(items, take);
      const priority = Math.max(...jobs.map((job) => job.priority));
      let tookMs: number | undefined;
      const timed = (ms: number) => {
        tookMs = ms;
      };
      const options = { signal: abort.signal, priority, timed };
      const rows =
        model.runRows && !this.#joiner.ragged
          ? await model.runRows(feeds, items.length, options)
          : this.#joiner.split(await model.run(feeds, options), items);
      const ms = ran(tookMs);
      this.#count(jobs);
      if (batchEvents.run.hasSubscribers) batchEvents.run.publish({ items: jobs.length, cost, ms });
      return rows;
    } finally {
      this.#aborts.delete(abort);
      this.#staging.give(taken);
    }
  }

  #count(jobs: readonly Job[]): void {
    const figures = this.#figures;
    figures.items += jobs.length;
    figures.batches++;
    figures.largest = Math.max(figures.largest, jobs.length);
    figures.fed += jobs.length * longestOf(jobs);
    figures.tokens += jobs.reduce((sum, { length }) => sum + length, 0);
  }
}
