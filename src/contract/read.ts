import type { AccountId } from './ledger.js';

/** What tells one version of a file from another. Times are nanoseconds since 1970. */
export interface FileStat {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

/**
 * What both readers share. What `next` delivers stands in memory of the reader's: each delivery must be
 * released, or retained and later released, before the next call of `next`.
 */
interface Reader<Delivery> {
  /** The next delivery, or null at the end and once closed. One call at a time. */
  next(): Promise<Delivery | null>;
  /** Lets the reader go on without this memory until it is released. */
  retain(buffer: ArrayBuffer): void;
  /** Takes memory back and detaches the buffer: views of it have length 0. Harmless when repeated. */
  release(buffer: ArrayBuffer): void;
  /** Ends the reading and frees what it holds; a pending `next` resolves to null. Harmless when repeated. */
  close(): void;
}

interface ReaderPlan {
  /** Compute SHA-256 while reading. */
  readonly sha256: boolean;
  /** Charged for the memory, before it is written to. */
  readonly account: AccountId;
  /** False delivers copies, as the addon does anyway in runtimes that refuse external buffers (Electron). */
  readonly lend: boolean;
}

/** How one big file is read: final values. Where the account refuses a chunk the ring stays smaller. */
export interface ChunkPlan extends ReaderPlan {
  /** Raw bytes, without NUL. */
  readonly path: Uint8Array;
  readonly chunkBytes: number;
  /** Where to begin and, exclusive, to end; `Infinity` for all there is. */
  readonly start: number;
  readonly end: number;
  /** Chunks in memory at most, the delivered one included, the retained ones not. */
  readonly slots: number;
}

/** One big file on its way. Rejects where the file changes or cannot be read. */
export interface ChunkReader extends Reader<Uint8Array<ArrayBuffer>> {
  /** Once `next` has resolved to null at the end: the version read, and the digest (empty where not asked for). */
  summary(): { readonly stat: FileStat; readonly digest: ArrayBuffer } | null;
}

/** How small files are read: final values. */
export interface GroupPlan extends ReaderPlan {
  /** Bytes of content in a group; a larger file has a group of its own. */
  readonly groupBytes: number;
  /** Larger files are errors. */
  readonly maxFileBytes: number;
  readonly threads: number;
}

/** Words of eight bytes in a row of {@link RawFileGroup.rows}, and what stands in each. */
export const GroupRow = {
  offset: 0,
  length: 1,
  dev: 2,
  ino: 3,
  size: 4,
  mtimeNs: 5,
  ctimeNs: 6,
  words: 7,
} as const;

/** Files in the order in which their paths were added. */
export interface RawFileGroup {
  readonly count: number;
  /** The content of all files, in memory of the reader's. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /**
   * A row per file: `offset` and `length` within `bytes` as float64, the others as 64-bit integers; the version
   * is 0 throughout where the file could not be looked at.
   */
  readonly rows: ArrayBuffer;
  /** 32 bytes per file, meaningless beside an error; empty where not asked for. */
  readonly digests: ArrayBuffer;
  readonly errors: readonly { readonly index: number; readonly code: string; readonly message: string }[];
}

/** Small files on their way. Rejects only where memory runs out; what fails with one file is its error. */
export interface GroupReader extends Reader<RawFileGroup> {
  /** Adds `count` paths, raw bytes, each followed by NUL. */
  add(paths: Uint8Array, count: number): void;
  /** No further paths will come. */
  end(): void;
}
