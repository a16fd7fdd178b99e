// Who a graph is, without loading it: its hash, and that of the files its weights lie in.
import { createHash } from 'node:crypto';
import { type FileHandle, realpath } from 'node:fs/promises';
import path from 'node:path';
import { codeOf } from '../util/errors.js';
import { openFile, stampOf } from './file-stamp.js';
import { checkLength } from './model-source.js';
import { openBeneath } from './vetting/beneath.js';
import { ModelVetting } from './vetting/vetting.js';

export interface ModelIdentity {
  /** Of the graph's own file; the same as {@link Model.sha256} once it is loaded. */
  readonly sha256: string;
  /** Names the graph's file and its external data by their content. */
  readonly key: string;
  /** Bytes of all of them. */
  readonly bytes: number;
}

/** Hashed at a time, so that the event loop gets its turn: a millisecond or two. */
const STEP = 1 << 20;

/**
 * Reads a graph's file once, a piece at a time. Rejects with `ERR_NOT_A_FILE`, `ERR_TOO_LARGE`, or with the system's own code where
 * it cannot be read. What is wrong with the graph, or leads out of its folder, loading it says.
 */
export async function identifyModel(file: string): Promise<ModelIdentity> {
  const real = await realpath(file);
  const graph = await identifyGraph(await openFile(real), file);
  let { bytes } = graph;
  const parts = [graph.sha256];
  const locations = new Map(graph.external.map(({ location, where }) => [location, where]));
  for (const [location, where] of [...locations].sort()) {
    const data = await openBeneath(path.dirname(real), location, where).catch(unlessRejected);
    if (data === undefined) continue;
    const { sha256, bytes: more } = await digest(data.handle);
    parts.push(`${location}:${sha256}`);
    bytes += more;
  }
  return { sha256: graph.sha256, key: parts.join(' '), bytes };
}

/** Hashes a graph, and collects its tensors in other files as far as it is sound. */
async function identifyGraph(handle: FileHandle, file: string) {
  const size = await sizeOf(handle, file).catch(async (error: unknown) => {
    await handle.close();
    throw error;
  });
  const vetting = new ModelVetting(size);
  let sound = true;
  const identity = await digest(handle, (piece) => {
    try {
      if (sound) vetting.push(piece);
    } catch (error) {
      unlessRejected(error);
      sound = false;
    }
  });
  return { ...identity, external: vetting.external };
}

/** Rather than after hours of hashing: nothing longer can be loaded. */
async function sizeOf(handle: FileHandle, file: string): Promise<number> {
  const { size } = await stampOf(handle, file);
  checkLength(size);
  return size;
}

/** Hashes a file and closes it. */
async function digest(
  handle: FileHandle,
  look?: (piece: Buffer) => void,
): Promise<{ sha256: string; bytes: number }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const piece of handle.createReadStream({ highWaterMark: STEP }) as AsyncIterable<Buffer>) {
    hash.update(piece);
    look?.(piece);
    bytes += piece.length;
  }
  return { sha256: hash.digest('hex'), bytes };
}

function unlessRejected(error: unknown): undefined {
  if (codeOf(error) !== 'ERR_MODEL_REJECTED') throw error;
}
