// What happens to a batch that memory refuses, step by step, until every item of it came through or failed alone.
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf } from '../util/errors.js';
import type { Job } from './job.js';
import type { Item } from './rows.js';

/** A large photo that is being decoded holds its memory for some seconds. */
const ROOM_EVERY_MS = 40;
const ROOM_ATTEMPTS = 100;
/** What gives memory back takes time: one that has just been asked is not asked again. */
const RELIEF_EVERY_MS = 1000;
/** Less than that is not worth another try. */
const WORTH_BYTES = 1e6;

export interface LadderParts {
  /** Runs the jobs as one batch, and resolves with the outputs of each. */
  readonly attempt: (jobs: readonly Job[]) => Promise<readonly Item[]>;
  /** False where batches as large were refused before. */
  readonly fits: (jobs: readonly Job[]) => boolean;
  /** Told of every batch that was refused. */
  readonly refused: (jobs: readonly Job[]) => void;
  /** What gives memory back, the cheapest first; each resolves with the bytes it got. */
  readonly reliefs: readonly (() => Promise<number>)[];
  readonly holdBack: (() => Disposable) | undefined;
  /** Runs an item elsewhere that does not fit here, as `refusal` says; undefined where there is nowhere. */
  readonly elsewhere: (jobs: readonly Job[], refusal: unknown) => Promise<readonly Item[]> | undefined;
}

/**
 * The steps: give memory back and try again; halve, again and again; one at a time: elsewhere (the CPU), else
 * waiting for room while others are held back; `ERR_OUT_OF_MEMORY`. The same items are tried each time, in their order.
 */
export class Ladder {
  readonly #parts: LadderParts;
  #relievedAt = Number.NEGATIVE_INFINITY;

  constructor(parts: LadderParts) {
    this.#parts = parts;
  }

  /**
   * Resolves when every job has settled, in their order and after those that `turn` stands for: only the first attempt
   * is made before it resolves.
   */
  async run(jobs: readonly Job[], turn?: Promise<void>): Promise<void> {
    const live = jobs.filter(({ settled }) => !settled);
    if (live.length === 0) return;
    if (live.length > 1 && !this.#parts.fits(live)) {
      await turn;
      return this.#runInHalves(live);
    }
    try {
      const outputs = await this.#parts.attempt(live);
      await turn;
      deliver(live, outputs);
    } catch (error) {
      await turn;
      if (codeOf(error) !== 'ERR_OUT_OF_MEMORY') return rejectAll(live, error);
      this.#parts.refused(live);
      await this.#stepDown(live, error);
    }
  }

  async #stepDown(jobs: readonly Job[], refusal: unknown): Promise<void> {
    try {
      const relieved = await this.#runRelieved(jobs);
      if (relieved) return deliver(jobs, relieved);
      if (jobs.length === 1) return deliver(jobs, await this.#runAlone(jobs, refusal));
    } catch (error) {
      return rejectAll(jobs, error);
    }
    return this.#runInHalves(jobs);
  }

  async #runInHalves(jobs: readonly Job[]): Promise<void> {
    const half = Math.ceil(jobs.length / 2);
    await this.run(jobs.slice(0, half));
    await this.run(jobs.slice(half));
  }

  /** Tries again after each relief that gave something; undefined where none was enough. */
  async #runRelieved(jobs: readonly Job[]): Promise<readonly Item[] | undefined> {
    if (performance.now() - this.#relievedAt < RELIEF_EVERY_MS) return undefined;
    this.#relievedAt = performance.now();
    for (const relieve of this.#parts.reliefs) {
      if ((await relieve()) < WORTH_BYTES) continue;
      const outputs = await this.#unlessRefused(jobs);
      if (outputs) return outputs;
    }
    return undefined;
  }

  /** One item that was refused. Elsewhere first: what others hold here is seldom what a device was short of. */
  async #runAlone(jobs: readonly Job[], refusal: unknown): Promise<readonly Item[]> {
    const elsewhere = () => this.#parts.elsewhere(jobs, refusal);
    return (await unlessRefused(elsewhere)) ?? (await this.#runWithRoom(jobs)) ?? raise(refusal);
  }

  /** Tries again while what others have in flight ends and nothing new begins. */
  async #runWithRoom(jobs: readonly Job[]): Promise<readonly Item[] | undefined> {
    const { holdBack } = this.#parts;
    if (!holdBack) return undefined;
    using _held = holdBack();
    for (let tries = 0; tries < ROOM_ATTEMPTS && jobs.some(({ settled }) => !settled); tries++) {
      await sleep(ROOM_EVERY_MS);
      const outputs = await this.#unlessRefused(jobs);
      if (outputs) return outputs;
    }
    return undefined;
  }

  #unlessRefused(jobs: readonly Job[]): Promise<readonly Item[] | undefined> {
    return unlessRefused(() => this.#parts.attempt(jobs));
  }
}

async function unlessRefused(
  attempt: () => Promise<readonly Item[]> | undefined,
): Promise<readonly Item[] | undefined> {
  try {
    return await attempt();
  } catch (error) {
    if (codeOf(error) !== 'ERR_OUT_OF_MEMORY') throw error;
    return undefined;
  }
}

function deliver(jobs: readonly Job[], outputs: readonly Item[]): void {
  jobs.forEach((job, i) => {
    job.resolve(outputs[i] as Item);
  });
}

function rejectAll(jobs: readonly Job[], error: unknown): void {
  for (const job of jobs) job.reject(error);
}

function raise(error: unknown): never {
  throw error;
}
