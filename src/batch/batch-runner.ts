// What a batcher runs: a model, as far as it matters here.
import type { Device, Tensor, ValueInfo } from '../contract/index.js';

/** What a batcher needs of a model. */
export interface BatchRunner {
  run(feeds: Record<string, Tensor>, options: { signal?: AbortSignal }): Promise<Record<string, Tensor>>;
  /** What the graph says of itself; where it is missing, padding has to be described by the caller. */
  readonly inputMetadata?: readonly ValueInfo[];
  readonly outputMetadata?: readonly ValueInfo[];
  /** `cpu` unless told. */
  readonly device?: Device;
}
