// openChunks(): one big file as an async iterable of chunks, read ahead off the JavaScript thread.
import * as v from 'valibot';
import type { AccountId, ChunkPlan, ChunkReader, FileStat } from '../contract/index.js';
import { native } from '../native/load.js';
import { invalidArgument, SpillwayError } from '../util/errors.js';
import { parseOptions, signalSchema } from '../util/options.js';
import { parseSize, type Size } from '../util/sizes.js';
import { bytesOfPath, type FilePath } from './paths.js';

export interface ChunkOptions {
  /** Bytes of a chunk; only the last is shorter. Default `'1MB'`. */
  readonly chunkBytes?: Size | undefined;
  /** The first byte to read. Default 0. */
  readonly start?: Size | undefined;
  /** The byte to stop before. Default: the end of the file. */
  readonly end?: Size | undefined;
  /** Compute SHA-256 over what is delivered, on the reading thread. Default false. */
  readonly sha256?: boolean | undefined;
  /** The ledger account charged for the buffers, as `MemoryManager.account` gives it. Default: `read`. */
  readonly account?: AccountId | undefined;
  /** Ends the reading; the loop then rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** One is looked at, one is ready, one is being read. */
const RING_CHUNKS = 3;

const size = v.union([v.number(), v.string()]);
const optionsSchema = v.strictObject({
  chunkBytes: v.optional(size, '1MB'),
  start: v.optional(size, 0),
  end: v.optional(size),
  sha256: v.optional(v.boolean(), false),
  account: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0))),
  signal: signalSchema,
});

/**
 * Reads a file in chunks, some of them ahead, in memory that is used again and again: however large the file, it
 * holds a few chunks. Nothing is read before the loop asks for its first chunk; leaving the loop ends the reading.
 *
 * A chunk is valid until the loop turns; then its `bytes` have length 0, unless it was retained. What outlives
 * the turn (also an asynchronous write of the chunk) needs `retain()`, or a copy. Views must not be written to.
 *
 * A chunk is delivered only if the file had still been the same version after the chunk was read: else the loop
 * rejects with `ERR_FILE_CHANGED` (size or times differ; also when it was renamed or removed), or with
 * `ERR_TRUNCATED` (it ended early). Two writes within one tick of the kernel's clock may look the same (Linux
 * before 6.13: up to 10 ms). Files that the kernel makes up (/proc, /sys) have no version: they are read to their
 * end, whatever that is by then. Anything but a regular file is `ERR_NOT_A_FILE`, and a FIFO is not waited for;
 * `ERR_BUDGET_EXCEEDED` where the budget has no room for a single chunk; system errors keep their code.
 *
 * Throws `ERR_INVALID_ARGUMENT` at once; the loop rejects with `signal.reason`.
 */
export function openChunks(path: FilePath, options: ChunkOptions = {}): FileChunks {
  const { signal, ...given } = parseOptions(optionsSchema, options, 'options');
  const chunkBytes = parseSize(given.chunkBytes, 'options.chunkBytes');
  const start = parseSize(given.start, 'options.start');
  const end = given.end === undefined ? Number.POSITIVE_INFINITY : parseSize(given.end, 'options.end');
  if (chunkBytes < 1 || chunkBytes > 2 ** 30)
    throw invalidArgument('options.chunkBytes', 'a size from 1 byte to 1 GiB', given.chunkBytes);
  if (end < start) throw invalidArgument('options.end', `a position behind the start at ${start}`, given.end);
  const plan: ChunkPlan = {
    path: bytesOfPath(path, 'path'),
    chunkBytes,
    start,
    end,
    slots: RING_CHUNKS,
    sha256: given.sha256,
    account: given.account ?? native().ledger.account('read', 0),
    lend: true,
  };
  return new FileChunks(plan, signal);
}

/** The chunks of a file, to be looped over once. */
export class FileChunks implements AsyncIterable<FileChunk, void, undefined> {
  readonly #plan: ChunkPlan;
  readonly #signal: AbortSignal | undefined;
  #begun = false;
  #sha256: string | undefined;
  #stat: FileStat | undefined;

  /** @internal Made by `openChunks`. */
  constructor(plan: ChunkPlan, signal: AbortSignal | undefined) {
    this.#plan = plan;
    this.#signal = signal;
  }

  /** SHA-256 of what was delivered, in lower-case hex; undefined before the end and where not asked for. */
  get sha256(): string | undefined {
    return this.#sha256;
  }

  /** The version that was read; undefined before the end. */
  get stat(): FileStat | undefined {
    return this.#stat;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<FileChunk, void, undefined> {
    if (this.#begun) throw new SpillwayError('ERR_CLOSED', 'these chunks have been looped over already');
    this.#begun = true;
    const signal = this.#signal;
    signal?.throwIfAborted();
    const reader = native().openChunkReader(this.#plan);
    const close = () => reader.close();
    signal?.addEventListener('abort', close, { once: true });
    let current: FileChunk | undefined;
    try {
      for (let offset = this.#plan.start; ; ) {
        const bytes = await reader.next();
        signal?.throwIfAborted();
        if (!bytes) break;
        current = new FileChunk(reader, bytes, offset);
        offset += current.length;
        yield current;
        current.expire();
        signal?.throwIfAborted();
      }
      this.#finish(reader);
    } finally {
      signal?.removeEventListener('abort', close);
      current?.expire();
      close();
    }
  }

  #finish(reader: ChunkReader): void {
    const summary = reader.summary();
    if (!summary) return;
    this.#stat = summary.stat;
    if (this.#plan.sha256) this.#sha256 = Buffer.from(summary.digest).toString('hex');
  }
}

/** Bytes of a file. The memory is the reader's. */
export class FileChunk implements Disposable {
  /** The bytes; of length 0 once the loop has turned, or after `release()`. Read-only by contract. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where they begin in the file. */
  readonly offset: number;
  /** How many bytes there were when the chunk was delivered. */
  readonly length: number;
  readonly #reader: ChunkReader;
  #retained = false;

  /** @internal Made by `openChunks`. */
  constructor(reader: ChunkReader, bytes: Uint8Array<ArrayBuffer>, offset: number) {
    this.#reader = reader;
    this.bytes = bytes;
    this.offset = offset;
    this.length = bytes.length;
  }

  /** Keeps the bytes valid until `release()`; another buffer takes their place meanwhile. Returns this chunk. */
  retain(): this {
    if (this.bytes.length !== this.length)
      throw new SpillwayError('ERR_CLOSED', 'expected a chunk that is still valid, but the loop has turned');
    this.#retained = true;
    this.#reader.retain(this.bytes.buffer);
    return this;
  }

  /** Gives the memory back; `bytes` has length 0 afterwards. Harmless when repeated. */
  release(): void {
    this.#reader.release(this.bytes.buffer);
  }

  /** @internal The loop has turned. */
  expire(): void {
    if (!this.#retained) this.release();
  }

  [Symbol.dispose](): void {
    this.release();
  }
}
