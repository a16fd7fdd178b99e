// Takes a file in: reads it, compares it with what is known, and prepares it, all within the budget.
import type { MemoryManager } from '../memory/manager.js';
import type { Reservation } from '../memory/reservation.js';
import { openChunks } from '../read/chunks.js';
import { readWholeFile } from '../read/read-file.js';
import type { StoredValue } from '../results/value.js';
import { SpillwayError } from '../util/errors.js';
import { sha256Hex } from '../util/sha256.js';
import type { Turns } from '../util/turns.js';
import type { Evidence, FileEntry, Inspection, OpenWorkload, Outcome, Pieces, ReadMode } from './workload.js';

/** A file that was read: what is known of its content already, or what is left to do. */
export type Taken = { readonly evidence: Evidence } & (
  | { readonly known: StoredValue }
  /** Inference. Rejects with the failure that the content caused, also one from before. */
  | { readonly finish: () => Promise<Outcome> }
);

/** What is known of a content, if anything. */
type Recall = (evidence: Evidence) => Promise<StoredValue | undefined>;

/** A file that was read whole, with its bytes on the budget. */
interface Read {
  bytes: Buffer;
  readonly evidence: Evidence;
  readonly reading: Reservation;
}

/** Files up to this size are read in one go, whatever is done with them. */
const SMALL_BYTES = 2 ** 20;
/** Larger files are never held in memory whole: `ERR_TOO_LARGE`. */
const MAX_WHOLE_BYTES = 2 ** 30;
/** Enough for a head that tells the type. */
const HEAD_BYTES = 4096;
/** A piece is judged on the JavaScript thread: half a mebibyte of text takes some 2 ms. */
const PIECE_BYTES = 2 ** 19;

/** What takes files in, one call for each; calls may overlap. */
export class Intake {
  readonly #workload: OpenWorkload;
  readonly #memory: MemoryManager;
  readonly #turns: Pick<Turns, 'run'>;
  readonly #signal: AbortSignal;
  /** Read, and not yet at their turn. */
  readonly #ahead = new Set<Read>();
  /** How many have their turn and wait for room. */
  #starving = 0;

  /** `turns`: whose turn it is to decode. */
  constructor(workload: OpenWorkload, memory: MemoryManager, turns: Pick<Turns, 'run'>, signal: AbortSignal) {
    this.#workload = workload;
    this.#memory = memory;
    this.#turns = turns;
    this.#signal = signal;
  }

  /**
   * Reads one file, and prepares it when its turn comes; `recall` tells what is known of the content, so that it
   * need not be prepared. Rejects where the file could not be read; what fails after that belongs to its content.
   */
  async take(file: FileEntry, recall: Recall): Promise<Taken> {
    if (file.size > SMALL_BYTES && (await readModeOf(file, this.#workload, this.#signal)) === 'pieces')
      return this.#turns.run(() => takePieces(file, recall, this.#workload, this.#signal));
    if (file.size > MAX_WHOLE_BYTES)
      throw new SpillwayError(
        'ERR_TOO_LARGE',
        `expected a file of at most ${MAX_WHOLE_BYTES} bytes but it has ${file.size}`,
      );
    using reading = await this.#memory.reserve('read', file.size, { signal: this.#signal, exact: true });
    const read: Read = { ...(await readOnce(file)), reading };
    const { evidence } = read;
    const known = await recall(evidence);
    if (known) return { evidence, known };
    try {
      return { evidence, finish: await this.#begin(file, read) };
    } catch (error) {
      return { evidence, finish: () => Promise.reject(error) };
    }
  }

  async #begin(file: FileEntry, read: Read): Promise<() => Promise<Outcome>> {
    const workload = this.#workload;
    if (modeFor(workload, read.bytes) === 'pieces') {
      const pieces = begin(workload);
      pieces.update(read.bytes);
      const outcome = await pieces.end();
      return async () => outcome;
    }
    if (!workload.inspect) throw new TypeError('expected inspect() of a workload that reads files whole');
    const inspection = await workload.inspect(read.bytes);
    if (this.#starving > 0) giveUp(read);
    this.#ahead.add(read);
    return this.#turns.run(() => {
      this.#ahead.delete(read);
      return this.#prepare(file, read, inspection);
    });
  }

  async #prepare(file: FileEntry, read: Read, inspection: Inspection): Promise<() => Promise<Outcome>> {
    const { costBytes, keptBytes } = inspection;
    const held = await this.#room(file, read, costBytes + keptBytes);
    try {
      if (read.bytes.length === 0) read.bytes = await readAgain(file, read.evidence.sha256);
      const finish = await inspection.prepare(read.bytes);
      held.become('batch', keptBytes);
      return async () => {
        using _kept = held;
        return await finish();
      };
    } catch (error) {
      held.release();
      throw error;
    }
  }

  /**
   * Waiting for more while holding some is how jobs deadlock: who waits for room, and who waits for a turn meanwhile,
   * give their bytes up, ask for all of it, and read again.
   */
  async #room(file: FileEntry, read: Read, bytes: number): Promise<Reservation> {
    const held = read.bytes.length > 0 ? this.#memory.tryReserve('decode', bytes) : undefined;
    if (held) return held;
    for (const each of [read, ...this.#ahead]) giveUp(each);
    this.#starving++;
    try {
      return await this.#memory.reserve('decode', file.size + bytes, { signal: this.#signal });
    } finally {
      this.#starving--;
    }
  }
}

function giveUp(read: Read): void {
  read.bytes = Buffer.alloc(0);
  read.reading.release();
}

/** How a large file is read; where its first bytes decide, they alone are read for it. */
async function readModeOf(file: FileEntry, workload: OpenWorkload, signal: AbortSignal): Promise<ReadMode> {
  if (typeof workload.reads === 'string') return workload.reads;
  for await (const { bytes } of openChunks(file.pathBytes, { end: HEAD_BYTES, signal }))
    return workload.reads(bytes);
  return workload.reads(new Uint8Array());
}

function modeFor({ reads }: OpenWorkload, head: Uint8Array): ReadMode {
  return typeof reads === 'string' ? reads : reads(head);
}

function begin(workload: OpenWorkload): Pieces {
  if (!workload.pieces) throw new TypeError('expected pieces() of a workload that reads files in pieces');
  return workload.pieces();
}

/** A large file in bounded memory: hashed on the way by the thread that reads it. */
async function takePieces(
  file: FileEntry,
  recall: Recall,
  workload: OpenWorkload,
  signal: AbortSignal,
): Promise<Taken> {
  const readAtMs = Date.now();
  const pieces = begin(workload);
  const chunks = openChunks(file.pathBytes, { chunkBytes: PIECE_BYTES, sha256: true, signal });
  for await (const { bytes } of chunks) pieces.update(bytes);
  const { stat, sha256 } = chunks;
  if (!stat || sha256 === undefined) throw new TypeError('expected stat and hash of chunks that have ended');
  const evidence = { stat, readAtMs, sha256 };
  const known = await recall(evidence);
  return known ? { evidence, known } : { evidence, finish: () => pieces.end() };
}

async function readOnce(file: FileEntry): Promise<{ bytes: Buffer; evidence: Evidence }> {
  const readAtMs = Date.now();
  const { bytes, stat } = await readWholeFile(file.pathBytes, MAX_WHOLE_BYTES);
  return { bytes, evidence: { stat, readAtMs, sha256: await sha256Hex(bytes) } };
}

async function readAgain(file: FileEntry, sha256: string): Promise<Buffer> {
  const again = await readOnce(file);
  if (again.evidence.sha256 === sha256) return again.bytes;
  throw new SpillwayError(
    'ERR_FILE_CHANGED',
    'expected the same content at a second reading, but it changed',
  );
}
