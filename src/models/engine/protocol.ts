// What the stock engine and its child process say to each other. Copies are made by structured clone.
import type { LoadPlan, Tensor, ValueInfo } from '../../contract/index.js';
import type { ErrorCode } from '../../util/errors.js';

export interface Feed {
  readonly name: string;
  readonly tensor: Tensor;
}

/** Asked of the child; each is answered once, with the same `id`. */
export type Request =
  | { readonly id: number; readonly kind: 'load'; readonly model: Uint8Array; readonly plan: LoadPlan }
  | {
      readonly id: number;
      readonly kind: 'run';
      readonly session: number;
      readonly feeds: readonly Feed[];
      readonly outputs: readonly string[];
    }
  | { readonly id: number; readonly kind: 'end-profile' | 'release'; readonly session: number }
  /** The names of the devices that Vulkan shows, if all of them compute on the CPU; else `''`. */
  | { readonly id: number; readonly kind: 'software-vulkan' };

/** A graph in the child. `bytes`: by how much its resident memory grew while it was loaded, at least the graph's own. */
export interface LoadedGraph {
  readonly session: number;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly bytes: number;
}

export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
}

/** The child's first message once onnxruntime-node is loaded, or why it could not be. */
export type Greeting = { readonly version: string } | { readonly failure: Failure };

export type Reply =
  | { readonly id: number; readonly value: LoadedGraph | readonly Tensor[] | string | null }
  | { readonly id: number; readonly failure: Failure };
