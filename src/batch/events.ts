// What batchers tell whoever listens on node:diagnostics_channel. Metrics only: nothing is computed for nobody.
import { type Channel, channel } from 'node:diagnostics_channel';

/** A batch that ran. */
export interface BatchEvent {
  readonly items: number;
  /** Items, or tokens with their padding where lengths vary. */
  readonly cost: number;
  readonly ms: number;
}

/** What a cleanup gave back. All figures are bytes. */
export interface CleanupReport {
  /** Why it was done; `asked`: by the caller. */
  readonly reason: 'pressure' | 'always' | 'every' | 'asked' | 'refused';
  /** Resident and device memory that is gone. */
  readonly bytes: number;
  /** By account of the ledger, what is less than before; what others took or gave back meanwhile counts too. */
  readonly accounts: Readonly<Record<string, number>>;
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
