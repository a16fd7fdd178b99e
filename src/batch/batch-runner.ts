// What a batcher runs: a model, as far as it matters here.
import type { Device, Tensor, ValueInfo } from '../contract/index.js';

/** How a batch is run. */
export interface BatchRunOptions {
  readonly signal?: AbortSignal;
  /** That of its most urgent item, for where the model waits for others; more goes first. */
  readonly priority?: number;
  /** Told how many milliseconds the run itself took, without its wait; not called by who cannot tell. */
  readonly timed?: (ms: number) => void;
}

/** What a batcher needs of a model. */
export interface BatchRunner {
  /** The elements of `feeds` are lent until the promise settles: the next batch may be put together in them. */
  run(feeds: Record<string, Tensor>, options: BatchRunOptions): Promise<Record<string, Tensor>>;
  /**
   * The outputs of each of `rows` items, where that takes fewer copies than `run`; undefined where it does not.
   * `ERR_MODEL_REJECTED` where an output does not have so many rows.
   */
  readonly runRows?:
    | ((
        feeds: Record<string, Tensor>,
        rows: number,
        options: BatchRunOptions,
      ) => Promise<Record<string, Tensor>[]>)
    | undefined;
  /** What the graph says of itself; where it is missing, padding has to be described by the caller. */
  readonly inputMetadata?: readonly ValueInfo[];
  readonly outputMetadata?: readonly ValueInfo[];
  /** `cpu` unless told. */
  readonly device?: Device;
  /** Runs it does at a time, where further ones wait their turn in it; undefined where they do not. */
  readonly concurrency?: number | undefined;
}
