/** File types as the walker reports them: the bits of {@link ScanPlan.types} and the codes of {@link RawScanBatch.types}. */
export const FileType = {
  file: 1,
  directory: 2,
  symlink: 4,
  fifo: 8,
  socket: 16,
  block: 32,
  character: 64,
  /** Could not be looked at; an error stands beside it. */
  unknown: 128,
} as const;

/** A directory walk with every decision already taken: plain final values. */
export interface ScanPlan {
  /** Paths to walk, raw bytes without NUL. A root may be a file. */
  readonly roots: readonly Uint8Array[];
  /** Simple globs (`*`, `?`, `[…]`, `**`; braces already expanded), UTF-8. Empty: everything. */
  readonly include: readonly string[];
  /** Simple globs; a directory that matches is not entered. */
  readonly exclude: readonly string[];
  /** Which types are delivered: a union of the bits of {@link FileType}. Errors are always delivered. */
  readonly types: number;
  /** Deliver size, times, device and inode. */
  readonly stat: boolean;
  /** Follow symbolic links; a link that leads to an ancestor is a record with `ELOOP`. */
  readonly follow: boolean;
  readonly threads: number;
  /** Records in a batch at most. */
  readonly batchFiles: number;
  /** Pairs of device and inode that are never delivered nor entered (our own outputs, our cache folder). */
  readonly skip: BigUint64Array;
}

/** One batch of records, columns side by side. Owned by the receiver. */
export interface RawScanBatch {
  readonly count: number;
  /** Raw path bytes, each path followed by NUL: root as given, joined with `/`. */
  readonly paths: Uint8Array;
  /** Whether every path of the batch is valid UTF-8. */
  readonly utf8: boolean;
  /** A code of {@link FileType} per record. */
  readonly types: Uint8Array;
  /** Empty without `stat`. */
  readonly size: Float64Array;
  readonly mtimeNs: BigInt64Array;
  readonly ctimeNs: BigInt64Array;
  readonly dev: BigUint64Array;
  readonly ino: BigUint64Array;
  /** What could not be looked at: index of its record, system or own code, sentence. */
  readonly errors: readonly { readonly index: number; readonly code: string; readonly message: string }[];
}

/** A walk in progress. */
export interface Scanner {
  /** The next batch, or null at the end. One call at a time. */
  next(): Promise<RawScanBatch | null>;
  /** Stops the walk and frees what it holds; a pending `next` resolves to null. Harmless when repeated. */
  close(): void;
}
