// Bounds on what a model may ask of whoever reads it, far above what real models have.
import { rejected } from './rejection.js';

/** Messages within messages; protobuf's own readers stop at 100. Each graph within a node takes three. */
export const MAX_DEPTH = 64;
/** UTF-8 bytes of a name, and bytes of a packed list of dimensions. */
export const MAX_TEXT_BYTES = 1 << 16;
/** Dimensions of a tensor. */
export const MAX_RANK = 64;
/** Nodes once every call of a function is replaced by its body, which is what ONNX Runtime does. */
export const MAX_NODES = 1 << 18;
/** Functions within functions. */
export const MAX_CALL_DEPTH = 256;

const MAX_COUNTS = { nodes: MAX_NODES, names: 1 << 20, tensors: 1 << 18, functions: 1 << 12 };

/** How much of everything has been seen. */
export class Tally {
  readonly #counts = { nodes: 0, names: 0, tensors: 0, functions: 0 };

  get nodes(): number {
    return this.#counts.nodes;
  }

  /** One more of a kind. Throws `ERR_MODEL_REJECTED` beyond its bound. */
  add(kind: keyof typeof MAX_COUNTS): void {
    if (++this.#counts[kind] > MAX_COUNTS[kind])
      throw rejected('model', `expected at most ${MAX_COUNTS[kind]} ${kind}`);
  }
}
