/** Element types a tensor can have, by ONNX Runtime's names for JavaScript. */
export type TensorType =
  | 'float32'
  | 'float64'
  | 'float16'
  | 'int8'
  | 'uint8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'uint64'
  | 'bool'
  | 'string';

/** Elements in row-major order; `float16` as the bits in a Uint16Array, `bool` as 0 and 1 in a Uint8Array. */
export type TensorElements =
  | Float32Array
  | Float64Array
  | Uint16Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | readonly string[];

export interface Tensor {
  readonly type: TensorType;
  readonly dims: readonly number[];
  readonly data: TensorElements;
}

/** An input or output of a graph. A dimension is a number, or the name of a free dimension (`''` where unnamed). */
export interface ValueInfo {
  readonly name: string;
  /** Undefined for values that are not tensors (sequences, maps). */
  readonly type: TensorType | undefined;
  readonly dims: readonly (number | string)[];
}

export type Device = 'cpu' | 'cuda' | 'webgpu';

/** A library of custom operators. */
export interface OperatorLibrary {
  readonly path: string;
  /** Of its bytes, in lower-case hexadecimal digits. */
  readonly sha256: string;
}

/** Weights that a session shares with others of its graph in this process. */
export interface SharedWeights {
  /** Names the graph by its content. */
  readonly key: string;
  /** Initialisers, by where their bytes lie in the graph; types by their number in `TensorProto.DataType`. */
  readonly tensors: readonly {
    readonly name: string;
    readonly typeNumber: number;
    readonly dims: readonly number[];
    readonly offset: number;
    readonly bytes: number;
  }[];
  /** What kernels pack of them. */
  readonly packedBytes: number;
}

/** How a graph, complete in itself, is loaded: final values. */
export interface LoadPlan {
  readonly device: Device;
  /** Threads of the session's own pool, the caller's included: on the CPU, the cores that a run takes. */
  readonly threads: number;
  /** Runs at a time, at least one; further ones wait their turn, as do those that find no cores free. */
  readonly concurrency: number;
  /** Sizes for free dimensions of the graph; all names occur in it. */
  readonly freeDimensions: readonly { readonly name: string; readonly size: number }[];
  /** How the path of the session's profile begins; `''` for none. */
  readonly profile: string;
  /** Code of others that the graph may call; each is loaded only where its bytes are those that are named. */
  readonly operatorLibraries: readonly OperatorLibrary[];
  /** False for a graph that ONNX Runtime has optimised before. */
  readonly optimise: boolean;
  /** The path of a file that the optimised graph is written to; `''` for none. */
  readonly optimisedPath: string;
  /** What the session keeps of its constants where kernels do not pack them, as vetting works it out. */
  readonly weightBytes: number;
  /** What its nodes take beside them, by estimate. */
  readonly structureBytes: number;
  /** Not counted in `weightBytes`. Undefined: it has all its weights for itself. */
  readonly sharedWeights?: SharedWeights | undefined;
}

/** What an eviction gave back, as measured. */
export interface EvictedBytes {
  /** Credited to the ledger; of a child process, what its loading had taken. */
  readonly bytes: number;
  /** Less resident memory right afterwards; blocks below 4 MiB follow with the next trim of the heap. */
  readonly residentBytes: number;
}

/** The outputs of a run, and how long it took: without its wait for a turn, undefined where the engine does not tell. */
export type RunOutputs = Tensor[] & { readonly ms?: number };

/**
 * A loaded graph. Runs may overlap; as many as its plan says happen at a time, each on a thread of its own.
 *
 * Who loaded it is its first holder. While nobody holds it and no run is using it, the governor may evict it to
 * relieve memory, the least recently used graph of the process first, also while JavaScript is blocked.
 */
export interface InferSession {
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  /**
   * Bytes the session holds now: packed weights and runs to the byte; with other weights, which ONNX Runtime keeps out
   * of sight, at least the `weightBytes` of its plan; and its `structureBytes`. Weights that it shares are counted with
   * the one of their sessions that was loaded first.
   */
  bytes(): number;
  /** Those of `bytes` that are shared: 0 where they are counted with another session. */
  sharedBytes(): number;
  /** One more holder; false where it has been evicted or released, and must be loaded again. */
  hold(): boolean;
  /** One holder less. */
  letGo(): void;
  /** Frees it off this thread unless somebody holds or uses it; resolves with what came back, undefined: nothing. */
  evict(): Promise<EvictedBytes | undefined>;
  /** Undefined unless it was evicted. */
  readonly evicted: EvictedBytes | undefined;
  /** Whether it was released, by its owner or with its device: it runs no more, and must be loaded again. */
  readonly released: boolean;
  /**
   * Runs the graph. The elements of `feeds` must neither be changed nor transferred until the promise settles;
   * the outputs are the caller's. `runId` is chosen by the caller and names the run for `cancel`. Where runs wait for
   * the cores, those of all sessions of the process, the one of most `priority` goes first, a second of waiting counting
   * for one step; 0 unless told.
   */
  run(
    runId: number,
    feeds: readonly { readonly name: string; readonly tensor: Tensor }[],
    outputs: readonly string[],
    priority?: number,
  ): Promise<RunOutputs>;
  /**
   * Like `run` of a batch of `rows` items: all outputs of the first item, then those of the second, and so on, each
   * copied once, from where it was computed. `ERR_MODEL_REJECTED` where an output does not have so many rows.
   */
  runRows(
    runId: number,
    feeds: readonly { readonly name: string; readonly tensor: Tensor }[],
    outputs: readonly string[],
    rows: number,
    priority?: number,
  ): Promise<RunOutputs>;
  /** Asks a run to stop; it acts between two nodes of the graph and rejects with `ERR_ABORTED`. */
  cancel(runId: number): void;
  /**
   * Ends the profile that the session was loaded with, once the runs in flight have ended, and resolves with the path
   * of its file. Once only; `ERR_INVALID_ARGUMENT` without a profile, `ERR_ENGINE` where it could not be written.
   */
  endProfile(): Promise<string>;
  /** Frees the session once its last run has ended. Harmless when repeated. */
  release(): void;
  /**
   * Releases every session on the same device, which has failed: of this process, or of the child that has this one. A
   * load on it that comes later waits until they are freed.
   */
  releaseDevice(): void;
}

/** ONNX Runtime driven off the JavaScript thread. Present where the capability `infer` is. */
export interface Inference {
  /**
   * Loads the library at `path`, or takes the one already mapped into the process when it is new enough.
   * Throws `ERR_ENGINE` with the reason where neither can serve. Harmless when repeated.
   */
  open(path: string): { readonly version: string; readonly path: string; readonly reused: boolean };
  /** Loads a graph from its bytes, which are not needed once the promise settles. */
  load(model: Uint8Array, plan: LoadPlan): Promise<InferSession>;
}
