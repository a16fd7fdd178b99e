// Takes a file in: reads it, compares it with what is known, and prepares it, all within the budget.
import type { MemoryManager } from '../memory/manager.js';
import type { Reservation } from '../memory/reservation.js';
import { openChunks } from '../read/chunks.js';
import { readWholeFile } from '../read/read-file.js';
import type { StoredValue } from '../results/value.js';
import { SpillwayError } from '../util/errors.js';
import { sha256Hex } from '../util/sha256.js';
import type { Evidence, FileEntry, Inspection, OpenWorkload, Outcome, Pieces, ReadMode } from './workload.js';

/** A file that was read: what is known of its content already, or what is left to do. */
export type Taken = { readonly evidence: Evidence } & (
  | { readonly known: StoredValue }
  /** Inference. Rejects with the failure that the content caused, also one from before. */
  | { readonly finish: () => Promise<Outcome> }
);

/** What is known of a content, if anything. */
type Recall = (evidence: Evidence) => Promise<StoredValue | undefined>;

/** A file read whole while its bytes are on the budget. */
interface Read {
  readonly bytes: Buffer;
  readonly evidence: Evidence;
}

/** Files up to this size are read in one go, whatever is done with them. */
const SMALL_BYTES = 2 ** 20;
/** Larger files are never held in memory whole: `ERR_TOO_LARGE`. */
const MAX_WHOLE_BYTES = 2 ** 30;
/** Enough for a head that tells the type. */
const HEAD_BYTES = 4096;
/** A piece is judged on the JavaScript thread: half a mebibyte of text takes some 2 ms. */
const PIECE_BYTES = 2 ** 19;

/**
 * Reads and prepares one file; `recall` tells what is known of the content, so that it need not be prepared.
 * Rejects where the file could not be read; what fails after that belongs to its content.
 */
export async function takeIn(
  file: FileEntry,
  recall: Recall,
  workload: OpenWorkload,
  memory: MemoryManager,
  signal: AbortSignal,
): Promise<Taken> {
  if (file.size > SMALL_BYTES && (await readModeOf(file, workload, signal)) === 'pieces')
    return takePieces(file, recall, workload, signal);
  if (file.size > MAX_WHOLE_BYTES)
    throw new SpillwayError(
      'ERR_TOO_LARGE',
      `expected a file of at most ${MAX_WHOLE_BYTES} bytes but it has ${file.size}`,
    );
  using reading = await memory.reserve('read', file.size, { signal });
  const read = await readOnce(file);
  const { evidence } = read;
  const known = await recall(evidence);
  if (known) return { evidence, known };
  try {
    if (modeFor(workload, read.bytes) === 'pieces') {
      const pieces = begin(workload);
      pieces.update(read.bytes);
      const outcome = await pieces.end();
      return { evidence, finish: async () => outcome };
    }
    if (!workload.inspect) throw new TypeError('expected inspect() of a workload that reads files whole');
    const inspection = await workload.inspect(read.bytes);
    return { evidence, finish: await prepare(file, read, inspection, reading, memory, signal) };
  } catch (error) {
    return { evidence, finish: () => Promise.reject(error) };
  }
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

async function prepare(
  file: FileEntry,
  read: Read,
  inspection: Inspection,
  reading: Reservation,
  memory: MemoryManager,
  signal: AbortSignal,
): Promise<() => Promise<Outcome>> {
  const { costBytes, keptBytes } = inspection;
  let { bytes } = read;
  let held = memory.tryReserve('decode', costBytes + keptBytes);
  if (!held) {
    // Waiting for more while holding some is how jobs deadlock: give the bytes up, ask for all, read again.
    bytes = Buffer.alloc(0);
    reading.release();
    held = await memory.reserve('decode', file.size + costBytes + keptBytes, { signal });
  }
  try {
    if (bytes.length === 0) bytes = await readAgain(file, read.evidence.sha256);
    const finish = await inspection.prepare(bytes);
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

async function readOnce(file: FileEntry): Promise<Read> {
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
