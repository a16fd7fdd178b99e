// The bytes of a graph and who they are. A file is read once: for its hash, its vetting and its load.
import { createHash } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import path from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { invalidArgument, SpillwayError } from '../util/errors.js';
import { assertUnchanged, type FileStamp, openFile, stampOf } from './file-stamp.js';
import { readPieces } from './read-pieces.js';
import { ChargedBytes, checkFits } from './vetting/charged-bytes.js';
import type { KeptBytes, Shareable } from './vetting/constants.js';
import { readExternal } from './vetting/external-data.js';
import { rejected } from './vetting/rejection.js';
import { planSplice } from './vetting/splice.js';
import { ModelVetting, type VettedModel } from './vetting/vetting.js';

/** A vetted graph, complete in itself: ONNX Runtime needs no other file for it. Dispose of it once it is loaded. */
export interface ModelBytes extends Disposable {
  /** Of length 0 after disposal, unless they are the caller's own. */
  readonly bytes: Uint8Array;
  /** What holds them; undefined where they are the caller's own. */
  readonly memory: ChargedBytes | undefined;
  /** Of the graph's own file, or of the bytes as they were given. */
  readonly sha256: string;
  /** Names the content: of the graph, and of its data in other files. */
  readonly key: string;
  /** Names of the free dimensions of its inputs. */
  readonly freeDimensions: ReadonlySet<string>;
  /** What a session of it keeps. */
  readonly kept: KeptBytes;
  /** Initialisers that its sessions can share, by name. */
  readonly shareable: ReadonlyMap<string, Shareable>;
  /** Files that were read, where all their timestamps can be trusted. */
  readonly stamps: readonly FileStamp[] | undefined;
}

/** Bytes looked at before the event loop gets its turn: a millisecond or two. */
const STEP = 1 << 20;
/** The longest message of protobuf, and so the longest model that ONNX Runtime can parse. */
const MAX_MODEL_BYTES = 2 ** 31 - 1;

/**
 * A graph given as bytes, which must not change until it is disposed of. Operators may be of `domains` beside the
 * default ones. Rejects with `ERR_MODEL_REJECTED`, `ERR_TOO_LARGE`, `ERR_BUDGET_EXCEEDED`, `ERR_INVALID_ARGUMENT`.
 */
export async function fromBytes(bytes: Uint8Array, domains: readonly string[]): Promise<ModelBytes> {
  if (bytes.buffer instanceof SharedArrayBuffer)
    throw invalidArgument('model', 'bytes that no other thread can change', 'a SharedArrayBuffer');
  checkLength(bytes.length);
  const vetting = new ModelVetting(bytes.length, domains);
  const hash = createHash('sha256');
  for (let at = 0; at < bytes.length; at += STEP) {
    const piece = bytes.subarray(at, at + STEP);
    hash.update(piece);
    vetting.push(piece);
    await turn();
  }
  const vetted = vetting.end();
  const { external, freeDimensions, kept, shareable } = vetted;
  if (external[0]) throw rejected(external[0].where, 'expected data within a model that is given as bytes');
  checkRoom(bytes.length, vetted);
  const sha256 = hash.digest('hex');
  const own = { bytes, memory: undefined, stamps: undefined, [Symbol.dispose]: () => undefined };
  return { ...own, sha256, key: sha256, freeDimensions, kept, shareable };
}

/**
 * A graph from its file, with its data in other files below the same folder. Rejects like {@link fromBytes}, with
 * `ERR_OUT_OF_MEMORY` where there is no room for it now, `ERR_NOT_A_FILE`, `ERR_FILE_CHANGED`, and with the system's
 * own code where it cannot be read.
 */
export async function fromFile(file: string, domains: readonly string[]): Promise<ModelBytes> {
  const real = await realpath(file);
  const handle = await openFile(real);
  try {
    const { size, ...stamp } = await stampOf(handle, file);
    checkLength(size);
    const memory = new ChargedBytes(size);
    return await disposeOnFailure(memory, async () => {
      const vetting = new ModelVetting(size, domains);
      const hash = createHash('sha256');
      await readPieces(handle, 0, memory.bytes, (piece) => {
        hash.update(piece);
        vetting.push(piece);
      });
      const vetted = vetting.end();
      await assertUnchanged(handle, stamp);
      const sha256 = hash.digest('hex');
      if (vetted.external.length > 0) return complete(memory, vetted, path.dirname(real), sha256, stamp);
      checkRoom(size, vetted);
      return modelOf(memory, vetted, sha256, sha256, [stamp]);
    });
  } finally {
    await handle.close();
  }
}

/** The graph in `memory`, which is given back, with its external data in place. */
async function complete(
  memory: ChargedBytes,
  vetted: VettedModel,
  folder: string,
  sha256: string,
  stamp: FileStamp,
): Promise<ModelBytes> {
  const splice = planSplice(memory.bytes.length, vetted.external);
  checkLength(splice.length);
  checkRoom(splice.length, vetted);
  const whole = new ChargedBytes(splice.length);
  return disposeOnFailure(whole, async () => {
    const gaps = splice.write(memory.bytes, whole.bytes);
    memory[Symbol.dispose]();
    const data = await readExternal(folder, gaps, whole.bytes);
    return modelOf(whole, vetted, sha256, `${sha256} ${data.sha256}`, [stamp, ...data.stamps]);
  });
}

function modelOf(
  memory: ChargedBytes,
  { freeDimensions, kept, shareable }: VettedModel,
  sha256: string,
  key: string,
  stamps: readonly FileStamp[],
): ModelBytes {
  return {
    bytes: memory.bytes,
    memory,
    sha256,
    key,
    freeDimensions,
    kept,
    shareable,
    stamps: stamps.every(({ trusted }) => trusted) ? stamps : undefined,
    [Symbol.dispose]: () => memory[Symbol.dispose](),
  };
}

/** A load has the model, and its weights or what becomes of them, at the least; on the device that takes least. */
function checkRoom(bytes: number, { weightBytes, kept }: VettedModel): void {
  checkFits(bytes + Math.max(weightBytes, kept.elsewhere) + kept.structure, 'the model and its weights');
}

async function disposeOnFailure<T>(memory: ChargedBytes, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    memory[Symbol.dispose]();
    throw error;
  }
}

/** Throws `ERR_TOO_LARGE` for a model of more bytes than ONNX Runtime can parse. */
export function checkLength(bytes: number): void {
  if (bytes > MAX_MODEL_BYTES)
    throw new SpillwayError(
      'ERR_TOO_LARGE',
      `expected a model of at most ${MAX_MODEL_BYTES} bytes, its data in other files included, but it has ${bytes}`,
    );
}
