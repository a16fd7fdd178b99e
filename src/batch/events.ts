// What batchers tell whoever listens on node:diagnostics_channel. Metrics only: nothing is computed for nobody.
import { type Channel, channel } from 'node:diagnostics_channel';
import type { CleanupReport } from './cleanup.js';

/** A batch that ran. */
export interface BatchEvent {
  readonly items: number;
  /** Items, or tokens with their padding where lengths vary. */
  readonly cost: number;
  readonly ms: number;
}

/** A model that is not used any more, since its device is lost. */
export interface RetiredEvent {
  readonly error: unknown;
}

/** `spillway:batch.run`, `spillway:batch.cleanup` and `spillway:batch.retired`, each with its message. */
export const batchEvents = {
  run: channel('spillway:batch.run') as Channel<unknown, BatchEvent>,
  cleanup: channel('spillway:batch.cleanup') as Channel<unknown, CleanupReport>,
  retired: channel('spillway:batch.retired') as Channel<unknown, RetiredEvent>,
};
