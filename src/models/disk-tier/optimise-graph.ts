// Has ONNX Runtime write the optimised form of a graph, and puts it into the store.
//
// By a session of its own, which is then released: one that has written its graph keeps every weight twice for as long as
// it lives, outside of our allocator (ONNX Runtime needs the initialisers to write them, and does not drop them
// afterwards; measured with 100 MB of weights: 192 MB instead of 96, and twice the time to load).
import { setImmediate as turn } from 'node:timers/promises';
import type { DiskCache } from '../../cache/disk-cache.js';
import type { LoadPlan } from '../../contract/index.js';
import { native } from '../../native/load.js';
import { SpillwayError } from '../../util/errors.js';
import { formatSize } from '../../util/sizes.js';
import type { Engine } from '../engine/engine.js';
import type { ModelBytes } from '../model-source.js';
import { ChargedBytes } from '../vetting/charged-bytes.js';
import { writeGraph } from './graph-pieces.js';
import type { KeptGraph } from './graph-record.js';
import { UnnamedFile } from './unnamed-file.js';

/** Beside what the allocator charges: the initialisers that are kept, and the message they are written from. */
const COPIES = 2;
/** The most that a graph may take of a store with a limit, and of one without. */
const SHARE = 1 / 4;
const MOST_BYTES = 256e6;
const COPY_STEP = 1 << 20;

/** Bytes of a graph that stay as they are until it is disposed of. */
export interface HeldBytes extends Disposable {
  readonly bytes: Uint8Array;
}

/** Those of `model` itself, or a copy of what is its caller's; undefined where there is no room for one. */
export async function holdBytes({ bytes, memory }: ModelBytes): Promise<HeldBytes | undefined> {
  if (memory) return { bytes, [Symbol.dispose]: memory.hold()[Symbol.dispose] };
  const copy = ChargedBytes.ifRoom(bytes.length);
  for (let at = 0; copy && at < bytes.length; at += COPY_STEP) {
    copy.bytes.set(bytes.subarray(at, at + COPY_STEP), at);
    await turn();
  }
  return copy;
}

/**
 * Optimises a graph as `plan` says and stores what comes of it. `weight`: what the graph takes once loaded. Rejects with
 * `ERR_OUT_OF_MEMORY` where there is not room enough for this beside the work at hand, `ERR_TOO_LARGE` for a graph of
 * which the store would hold too few, and as the engine and the store do.
 */
export async function optimiseGraph(
  store: DiskCache,
  key: string,
  { engine, bytes, plan, weight }: { engine: Engine; bytes: Uint8Array; plan: LoadPlan; weight: number },
): Promise<Pick<KeptGraph, 'id' | 'bytes'>> {
  const { maxBytes } = await store.stats();
  const most = maxBytes === undefined ? MOST_BYTES : maxBytes * SHARE;
  checkSize(bytes.length, most); // the optimised one is hardly ever smaller
  using _room = reserveRoom(COPIES * Math.max(bytes.length, weight));
  await using file = await UnnamedFile.make(store.folder.path);
  // One thread: the work at hand has the others.
  const own = { threads: 1, concurrency: 1, profile: '', optimisedPath: file.path };
  (await engine.load(bytes, { ...plan, ...own })).release();
  const { size } = await file.handle.stat();
  checkSize(size, most);
  if (size === 0) throw new SpillwayError('ERR_ENGINE', 'the engine wrote no optimised graph');
  return { id: await writeGraph(store, key, file.handle, size), bytes: size };
}

function checkSize(bytes: number, most: number): void {
  if (bytes > most)
    throw new SpillwayError(
      'ERR_TOO_LARGE',
      `expected an optimised graph of at most ${formatSize(most)} but it has ${formatSize(bytes)}`,
    );
}

/** Twice as much must be free: nobody's work is to be refused for what can as well be done another time. */
function reserveRoom(bytes: number): Disposable {
  const { ledger } = native();
  const account = ledger.account('models', 0);
  if (!ledger.reserve(account, 2 * bytes))
    throw new SpillwayError(
      'ERR_OUT_OF_MEMORY',
      `optimising a graph for the disk wanted ${formatSize(2 * bytes)} to be free`,
    );
  ledger.unreserve(account, bytes);
  return { [Symbol.dispose]: () => ledger.unreserve(account, bytes) };
}
