// What a scan delivers: a batch of records in columns, and a record as a view of one row.
import { FileType, type RawScanBatch } from '../contract/index.js';

/** What a path is. `unknown` stands only beside an error. */
export type ScanFileType = keyof typeof FileType;

/** Why something could not be looked at. */
export interface ScanError {
  /** A system code (`EACCES`, `ENOENT`, `ELOOP` …) or `ERR_NOT_A_FILE`. */
  readonly code: string;
  readonly message: string;
}

const TYPE_NAMES = new Map<number, ScanFileType>(
  Object.entries(FileType).map(([name, bit]) => [bit, name as ScanFileType]),
);

/**
 * Records of a scan, in no particular order. Owned by the receiver and immutable; a {@link ScanFile} or a
 * `pathBytes` that is kept keeps its whole batch in memory.
 */
export class ScanBatch implements Iterable<ScanFile> {
  readonly #raw: RawScanBatch;
  readonly #bytes: Buffer;
  readonly #errors: ReadonlyMap<number, ScanError>;
  #paths: string[] | undefined;
  #ends: Uint32Array | undefined;

  constructor(raw: RawScanBatch) {
    this.#raw = raw;
    this.#bytes = Buffer.from(raw.paths.buffer, raw.paths.byteOffset, raw.paths.byteLength);
    this.#errors = new Map(raw.errors.map(({ index, code, message }) => [index, { code, message }]));
  }

  /** The number of records. */
  get length(): number {
    return this.#raw.count;
  }

  /** Every path followed by NUL, raw bytes: what `find -print0` would print. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  /** Whether every path of the batch is valid UTF-8, so that the strings say all that the bytes do. */
  get utf8(): boolean {
    return this.#raw.utf8;
  }

  /** Every path as a string, U+FFFD in place of what is not UTF-8. */
  get paths(): readonly string[] {
    // One string, cut up: a string of its own for each path took four times as long across Node-API.
    this.#paths ??=
      this.length === 0 ? [] : this.#bytes.toString('utf8', 0, this.#bytes.length - 1).split('\0');
    return this.#paths;
  }

  /** The record at `index`; `RangeError` beyond the last. */
  at(index: number): ScanFile {
    if (!(Number.isInteger(index) && index >= 0 && index < this.length))
      throw new RangeError(`expected an index below ${this.length} but received ${index}`);
    return new ScanFile(this, this.#raw, index);
  }

  *[Symbol.iterator](): Iterator<ScanFile> {
    for (let index = 0; index < this.length; index++) yield new ScanFile(this, this.#raw, index);
  }

  /** The raw bytes of one path: a view of {@link bytes}, without its NUL. */
  pathBytes(index: number): Buffer {
    this.#ends ??= endsOf(this.#bytes, this.length);
    const begin = index === 0 ? 0 : (this.#ends[index - 1] as number) + 1;
    return this.#bytes.subarray(begin, this.#ends[index]);
  }

  /** Why the record at `index` could not be looked at. */
  error(index: number): ScanError | undefined {
    return this.#errors.get(index);
  }
}

/** One record: a view of a row of its batch. Everything behind `type` is undefined without `stat`. */
export class ScanFile {
  readonly #batch: ScanBatch;
  readonly #raw: RawScanBatch;
  readonly #index: number;

  constructor(batch: ScanBatch, raw: RawScanBatch, index: number) {
    this.#batch = batch;
    this.#raw = raw;
    this.#index = index;
  }

  /** The root as given, joined with `/`; U+FFFD in place of bytes that are not UTF-8. */
  get path(): string {
    return this.#batch.paths[this.#index] as string;
  }

  /** The path byte for byte, fit to open it whatever its encoding: a view, not a copy. */
  get pathBytes(): Buffer {
    return this.#batch.pathBytes(this.#index);
  }

  get type(): ScanFileType {
    return TYPE_NAMES.get(this.#raw.types[this.#index] as number) ?? 'unknown';
  }

  /** Bytes. */
  get size(): number | undefined {
    return this.#raw.size[this.#index];
  }

  /** Last change of the content, nanoseconds since 1970. */
  get mtimeNs(): bigint | undefined {
    return this.#raw.mtimeNs[this.#index];
  }

  /** Last change of content or attributes, nanoseconds since 1970. */
  get ctimeNs(): bigint | undefined {
    return this.#raw.ctimeNs[this.#index];
  }

  get dev(): bigint | undefined {
    return this.#raw.dev[this.#index];
  }

  get ino(): bigint | undefined {
    return this.#raw.ino[this.#index];
  }

  /** Present where the path could not be looked at; its `type` is then `unknown` and its figures are 0. */
  get error(): ScanError | undefined {
    return this.#batch.error(this.#index);
  }
}

function endsOf(bytes: Buffer, count: number): Uint32Array {
  const ends = new Uint32Array(count);
  for (let index = 0, at = 0; index < count; index++) {
    const end = bytes.indexOf(0, at);
    ends[index] = end;
    at = end + 1;
  }
  return ends;
}
