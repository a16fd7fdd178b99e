// The model of a batcher, and the one that stands by for it.
import { codeOf } from '../util/errors.js';
import type { BatchRunner } from './batch-runner.js';
import { batchEvents } from './events.js';

/** Uses the model until its device is lost; the other one is opened when it is first needed. */
export class Standby {
  readonly #model: BatchRunner;
  readonly #open: (() => Promise<BatchRunner>) | undefined;
  #opened: Promise<BatchRunner> | undefined;
  #lost: { readonly error: unknown } | undefined;
  /** What the other one was opened for, once it is open. */
  #cause: { readonly error: unknown } | undefined;

  constructor(model: BatchRunner, open: (() => Promise<BatchRunner>) | undefined) {
    this.#model = model;
    this.#open = open;
  }

  /** Whether the model is used no more. */
  get retired(): boolean {
    return this.#lost !== undefined;
  }

  /** Whether there is another one. */
  get hasOther(): boolean {
    return this.#open !== undefined && !this.retired;
  }

  /** Why the other one serves; undefined while it does not. */
  get cause(): unknown {
    return this.#cause && (this.#lost ?? this.#cause).error;
  }

  /**
   * A lost device stays lost, whatever is run next: the model is retired, what it was given runs on the other one, and
   * so does all that comes. Without another one it all rejects with `ERR_DEVICE_LOST`.
   */
  async run<T>(use: (runner: BatchRunner) => Promise<T>): Promise<T> {
    if (!this.#lost) {
      try {
        return await use(this.#model);
      } catch (error) {
        if (codeOf(error) !== 'ERR_DEVICE_LOST') throw error;
        this.#lost ??= { error };
        if (batchEvents.retired.hasSubscribers) batchEvents.retired.publish({ error });
      }
    }
    if (!this.#open) throw this.#lost?.error;
    return use(await this.#other(this.#lost?.error));
  }

  /** Runs on the other one, because of `error`. */
  async runOnOther<T>(error: unknown, use: (runner: BatchRunner) => Promise<T>): Promise<T> {
    return use(await this.#other(error));
  }

  async #other(error: unknown): Promise<BatchRunner> {
    this.#opened ??= (this.#open as () => Promise<BatchRunner>)().catch((failure: unknown) => {
      this.#opened = undefined;
      throw failure;
    });
    const other = await this.#opened;
    this.#cause ??= { error };
    return other;
  }
}
