import type { Tally } from './limits.js';
import type { Calls } from './operators.js';
import type { TensorSink } from './tensor-reader.js';

/** What all graphs of one model, or of one of its functions, report to. */
export interface Surroundings {
  readonly sink: TensorSink;
  readonly tally: Tally;
  readonly calls: Calls;
  /** Names of graphs within nodes: ONNX Runtime looks for shared initialisers by name in all graphs of a model. */
  readonly inner: Set<string>;
}
