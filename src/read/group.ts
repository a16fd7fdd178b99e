// What readFiles() delivers: whole files side by side in one arena.
import { type FileStat, type GroupReader, GroupRow, type RawFileGroup } from '../contract/index.js';
import { type ErrorCode, SpillwayError } from '../util/errors.js';
import { bytesOfPath, type FilePath, textOfPath } from './paths.js';

const EMPTY = new Uint8Array(0);

/** Whole files, in the order of their paths. The memory is the reader's. */
export class FileGroup implements Disposable {
  /** The number of files. */
  readonly length: number;
  readonly #reader: GroupReader;
  readonly #raw: RawFileGroup;
  readonly #paths: readonly FilePath[];
  readonly #places: Float64Array;
  readonly #words: BigInt64Array;
  readonly #errors: ReadonlyMap<number, RawFileGroup['errors'][number]>;
  readonly #size: number;
  #retained = false;

  /** @internal Made by `readFiles`. */
  constructor(reader: GroupReader, raw: RawFileGroup, paths: readonly FilePath[]) {
    this.length = raw.count;
    this.#reader = reader;
    this.#raw = raw;
    this.#paths = paths;
    this.#places = new Float64Array(raw.rows);
    this.#words = new BigInt64Array(raw.rows);
    this.#errors = new Map(raw.errors.map((error) => [error.index, error]));
    this.#size = raw.bytes.length;
  }

  /** The path of a file, U+FFFD in place of bytes that are not UTF-8. */
  pathAt(index: number): string {
    return textOfPath(this.#paths[this.#checked(index)] as FilePath);
  }

  /** The raw bytes of the path of a file. */
  pathBytesAt(index: number): Uint8Array {
    return bytesOfPath(this.#paths[this.#checked(index)] as FilePath, 'path');
  }

  /**
   * The whole content of a file: a view, begun at a multiple of 16 bytes, read-only by contract. Of length 0
   * beside an error, once the loop has turned, and after `release()`.
   */
  bytesAt(index: number): Uint8Array<ArrayBuffer> {
    const at = this.#checked(index) * GroupRow.words;
    if (this.#raw.bytes.length === 0) return EMPTY;
    const { buffer, byteOffset } = this.#raw.bytes;
    const offset = byteOffset + (this.#places[at + GroupRow.offset] as number);
    return new Uint8Array(buffer, offset, this.#places[at + GroupRow.length]);
  }

  /** Why a file could not be read. */
  errorAt(index: number): SpillwayError | undefined {
    const error = this.#errors.get(this.#checked(index));
    return error && new SpillwayError(error.code as ErrorCode, error.message);
  }

  /** The version that was read, or refused; undefined where the file could not be looked at. */
  statAt(index: number): FileStat | undefined {
    const at = this.#checked(index) * GroupRow.words;
    const word = (name: Exclude<keyof typeof GroupRow, 'words'>) =>
      this.#words[at + GroupRow[name]] as bigint;
    const ino = BigInt.asUintN(64, word('ino'));
    if (ino === 0n) return undefined;
    const dev = BigInt.asUintN(64, word('dev'));
    return { dev, ino, size: Number(word('size')), mtimeNs: word('mtimeNs'), ctimeNs: word('ctimeNs') };
  }

  /** SHA-256 of the content in lower-case hex; undefined beside an error, and where not asked for. */
  sha256At(index: number): string | undefined {
    if (this.#errors.has(this.#checked(index)) || this.#raw.digests.byteLength === 0) return undefined;
    return Buffer.from(this.#raw.digests, index * 32, 32).toString('hex');
  }

  /** Keeps the contents valid until `release()`; another arena takes their place meanwhile. Returns this group. */
  retain(): this {
    if (this.#raw.bytes.length !== this.#size)
      throw new SpillwayError('ERR_CLOSED', 'expected a group that is still valid, but the loop has turned');
    this.#retained = true;
    this.#reader.retain(this.#raw.bytes.buffer);
    return this;
  }

  /** Gives the memory back; contents have length 0 afterwards. Harmless when repeated. */
  release(): void {
    this.#reader.release(this.#raw.bytes.buffer);
  }

  /** @internal The loop has turned. */
  expire(): void {
    if (!this.#retained) this.release();
  }

  [Symbol.dispose](): void {
    this.release();
  }

  #checked(index: number): number {
    if (Number.isInteger(index) && index >= 0 && index < this.length) return index;
    throw new RangeError(`expected an index below ${this.length} but received ${index}`);
  }
}
