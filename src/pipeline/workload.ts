// What a workload is to the pipeline, and what a run yields.
import type { ThermalManager } from '../batch/thermal.js';
import type { Device, FileStat } from '../contract/index.js';
import type { MemoryManager } from '../memory/manager.js';
import type { ModelCache } from '../models/model-cache.js';

/** The parts a workload stands on; they belong to `Spillway`. */
export interface Parts {
  readonly memory: MemoryManager;
  readonly models: ModelCache;
  readonly thermal?: ThermalManager | undefined;
}

/** A file on its way through the pipeline. */
export interface FileEntry extends FileStat {
  /** For people and result lines; U+FFFD where the name is not UTF-8. */
  readonly path: string;
  /** The name itself. */
  readonly pathBytes: Buffer;
}

/** What a workload made of a file. `data` is whatever JSON can express. */
export interface Outcome {
  readonly kind: string;
  readonly data: unknown;
}

/** An outcome as the store keeps it; with the SHA-256 of the file if it was read whole. */
export interface KeptOutcome extends Outcome {
  readonly sha256?: string;
}

/** Which content a result belongs to. */
export interface Evidence {
  /** The version of the file that was read. */
  readonly stat: FileStat;
  /** `Date.now()` from before it was opened. */
  readonly readAtMs: number;
  /** SHA-256 of the whole file, lower-case hex. */
  readonly sha256: string;
}

/** What a look at a file's bytes says about the work to come. */
export interface Inspection {
  /** Bytes that preparing takes at its peak, beside the file's own; reserved before `prepare`. */
  readonly costBytes: number;
  /** Bytes that stay until the item's batch has run. */
  readonly keptBytes: number;
  /** Decodes; `bytes` are those that were inspected and must not be kept. Resolves with what is left: inference. */
  prepare(bytes: Uint8Array): Promise<() => Promise<Outcome>>;
}

export type ReadMode = 'whole' | 'pieces';

/** A file that goes by piece by piece, however large it is. */
export interface Pieces {
  /** The next bytes, in order; they must not be kept. */
  update(piece: Uint8Array): void;
  /** The file is over. */
  end(): Promise<Outcome>;
}

/** Which engine and device ran the models; undefined where nothing had to be computed. */
export interface Served {
  readonly engine: string;
  readonly device: Device;
  /** The device that went on where that one was lost, or its memory refused single items, and the error that told. */
  readonly fallback?:
    | { readonly device: Device; readonly code: string | undefined; readonly message: string }
    | undefined;
}

/** A workload at work. */
export interface OpenWorkload extends AsyncDisposable {
  /** Names everything a result depends on beside the file: stages, options, models, our version of each extractor. */
  readonly fingerprint: string;
  /**
   * What a file is known by: its stat alone, or beside it its content, so that one that was moved, copied or
   * touched need only be read. Worth it where a result costs more than reading.
   */
  readonly identity: 'stat' | 'content';
  /** Bytes that its libraries and its smallest item take at least; a budget without room for them is refused. */
  readonly leastBytes: number;
  /** Items that may wait for their batch while workers go on. */
  readonly pending: number;
  /**
   * Called once, before the first file is read that the store cannot vouch for, and while nothing is reserved: the place
   * to load models. Whatever it rejects with ends the run.
   */
  ready?(): Promise<void>;
  /** How files are read: whole into memory, in pieces as they come, or as the first bytes of each say. */
  readonly reads: ReadMode | ((head: Uint8Array) => ReadMode);
  /**
   * Looks at a file that was read whole, without decoding it; called by several workers at once. Owed where files are
   * read whole.
   */
  inspect?(bytes: Uint8Array): Promise<Inspection>;
  /** Begins a file that comes in pieces. Owed where files are read in pieces. */
  pieces?(): Pieces;
  /** Sees every result, also those from the store. */
  observe(path: string, outcome: Outcome): void;
  served(): Served | undefined;
  /** What stands in the summary beside the common figures. */
  summary(): Record<string, unknown>;
}

/** One kind of job over files. */
export interface Workload {
  readonly name: string;
  open(parts: Parts, signal: AbortSignal): Promise<OpenWorkload>;
}

interface ResultPath {
  /** As given, joined with `/`. */
  readonly path: string;
  /** Only for a name that is not UTF-8. */
  readonly pathBase64?: string;
}

/** The result line of a file that went through. */
export interface Success extends ResultPath, Outcome {
  readonly size: number;
  readonly mtimeMs: number;
  readonly sha256?: string;
  /** Whether it came from the store. */
  readonly cached: boolean;
}

/** The result line of a file that did not. */
export interface Failure extends ResultPath {
  readonly size?: number;
  readonly cached: boolean;
  readonly error: { readonly code: string; readonly message: string };
}

export type Result = Success | Failure;
