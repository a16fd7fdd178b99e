// What happens to a batch that memory refuses: smaller and smaller, and in the end one by one, which waits for room.
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf } from '../util/errors.js';
import type { Job } from './job.js';
import type { Item } from './rows.js';

/** A large photo that is being decoded holds its memory for some seconds. */
const ROOM_EVERY_MS = 40;
const ROOM_ATTEMPTS = 100;

export interface LadderParts {
  /** Runs the jobs as one batch, and resolves with the outputs of each. */
  readonly attempt: (jobs: readonly Job[]) => Promise<readonly Item[]>;
  /** Told of every batch that was refused. */
  readonly refused: (jobs: readonly Job[]) => void;
  readonly holdBack: (() => Disposable) | undefined;
}

/** Carries jobs through memory that is short. */
export class Ladder {
  readonly #parts: LadderParts;

  constructor(parts: LadderParts) {
    this.#parts = parts;
  }

  /** Resolves when every job has settled, in their order. */
  async run(jobs: readonly Job[]): Promise<void> {
    const live = jobs.filter(({ settled }) => !settled);
    if (live.length === 0) return;
    try {
      deliver(live, await this.#parts.attempt(live));
    } catch (error) {
      if (codeOf(error) !== 'ERR_OUT_OF_MEMORY') return rejectAll(live, error);
      this.#parts.refused(live);
      await this.#stepDown(live, error);
    }
  }

  async #stepDown(jobs: readonly Job[], error: unknown): Promise<void> {
    const [only, another] = jobs;
    if (only && !another) {
      try {
        deliver(jobs, await this.#runWithRoom(only, error));
      } catch (last) {
        only.reject(last);
      }
      return;
    }
    const half = Math.ceil(jobs.length / 2);
    await this.run(jobs.slice(0, half));
    await this.run(jobs.slice(half));
  }

  /** Tries again while what others have in flight ends and nothing new begins. */
  async #runWithRoom(job: Job, refusal: unknown): Promise<readonly Item[]> {
    const { holdBack, attempt } = this.#parts;
    if (!holdBack) throw refusal;
    using _held = holdBack();
    for (let tries = 1; ; tries++) {
      await sleep(ROOM_EVERY_MS);
      try {
        return await attempt([job]);
      } catch (error) {
        if (codeOf(error) !== 'ERR_OUT_OF_MEMORY' || tries === ROOM_ATTEMPTS || job.settled) throw error;
      }
    }
  }
}

function deliver(jobs: readonly Job[], outputs: readonly Item[]): void {
  for (const [i, job] of jobs.entries()) job.resolve(outputs[i] as Item);
}

function rejectAll(jobs: readonly Job[], error: unknown): void {
  for (const job of jobs) job.reject(error);
}
