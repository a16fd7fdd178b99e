// Gives back what batches leave behind: dead buffers, free pages of the heap, idle pools of a GPU.
import { type AccountFigures, type Device, HIGH } from '../contract/index.js';
import { gpu } from '../gpu/gpu.js';
import { collectGarbage } from '../memory/garbage.js';
import { native } from '../native/load.js';
import { messageOf } from '../util/errors.js';
import { batchEvents, type CleanupReport } from './events.js';
import type { Staging } from './staging.js';

/**
 * After each batch, also one that failed: `'never'`; under `'pressure'` (level HIGH or above, once a second at most);
 * `'always'`; or after `every` so many.
 */
export type CleanupPolicy = 'never' | 'pressure' | 'always' | { readonly every: number };

export interface CleanupFigures {
  /** Cleanups so far, and the bytes they gave back. */
  readonly cleanups: number;
  readonly freedBytes: number;
  /** What the last one that failed said. */
  readonly cleanupFailure: string | undefined;
}

/** Reading what memory is like costs as much as a small batch. */
const LOOK_EVERY_MS = 50;
/** A full collection stops this thread, so pressure alone does not ask for it more often. */
const PRESSURE_EVERY_MS = 1000;

/** What it does, by itself or on request; replaced in tests. */
export interface CleanupMeans {
  underPressure(): boolean;
  /** Gives back what can be; resolves with the bytes of devices. */
  free(): Promise<number>;
}

export class Cleanup {
  readonly #policy: CleanupPolicy;
  readonly #means: CleanupMeans;
  #batches = 0;
  #last = Number.NEGATIVE_INFINITY;
  #looked = Number.NEGATIVE_INFINITY;
  #figures: CleanupFigures = { cleanups: 0, freedBytes: 0, cleanupFailure: undefined };

  constructor(policy: CleanupPolicy, means: CleanupMeans) {
    this.#policy = policy;
    this.#means = means;
  }

  figures(): CleanupFigures {
    return { ...this.#figures };
  }

  /** Cleans where the policy says so. */
  async afterBatch(): Promise<void> {
    this.#batches++;
    const reason = this.#due();
    if (reason) await this.relieve(reason);
  }

  /** Cleans, and resolves with the bytes. A batch does not depend on it, so that a failure is only noted. */
  async relieve(reason: CleanupReport['reason']): Promise<number> {
    try {
      return (await this.clean(reason)).bytes;
    } catch (error) {
      this.#figures = { ...this.#figures, cleanupFailure: messageOf(error) };
      return 0;
    }
  }

  async clean(reason: CleanupReport['reason']): Promise<CleanupReport> {
    this.#last = performance.now();
    const before = holdings();
    const deviceBytes = await this.#means.free();
    const after = holdings();
    const accounts = Object.fromEntries(
      [...before.accounts].flatMap(([name, bytes]) => {
        const freed = bytes - (after.accounts.get(name) ?? 0);
        return freed > 0 ? [[name, freed]] : [];
      }),
    );
    const bytes = Math.max(0, before.rss - after.rss) + deviceBytes;
    const report = { reason, bytes, accounts, ms: performance.now() - this.#last };
    const { cleanups, freedBytes } = this.#figures;
    this.#figures = { ...this.#figures, cleanups: cleanups + 1, freedBytes: freedBytes + bytes };
    if (batchEvents.cleanup.hasSubscribers) batchEvents.cleanup.publish(report);
    return report;
  }

  #due(): CleanupReport['reason'] | undefined {
    const policy = this.#policy;
    if (policy === 'always') return 'always';
    if (typeof policy === 'object') return this.#batches % policy.every === 0 ? 'every' : undefined;
    const now = performance.now();
    if (policy === 'never' || now - this.#last < PRESSURE_EVERY_MS || now - this.#looked < LOOK_EVERY_MS)
      return undefined;
    this.#looked = now;
    return this.#means.underPressure() ? 'pressure' : undefined;
  }
}

/** For a model on `device` whose batches are put together in `staging`. */
export function cleanupMeans(device: Device, staging: Staging): CleanupMeans {
  return {
    underPressure: () => native().governor.measure().level >= HIGH,
    free: async () => {
      staging.clear();
      collectGarbage();
      await native().trim?.();
      return device === 'cuda' ? gpu.trim() : 0;
    },
  };
}

function holdings(): { rss: number; accounts: Map<string, number> } {
  native().governor.measure();
  const [, ...rows] = native().ledger.snapshot();
  const held = ({ name, bytes, reserved }: AccountFigures) => [name, bytes + reserved] as const;
  return { rss: process.memoryUsage.rss(), accounts: new Map(rows.map(held)) };
}
