// The bytes of a graph and who they are. A file is read once for its hash and its load.
import { createHash } from 'node:crypto';
import { type FileHandle, open, realpath } from 'node:fs/promises';
import path from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { SpillwayError } from '../util/errors.js';

/** A graph's bytes with their identity. */
export interface ModelBytes {
  readonly bytes: Uint8Array;
  readonly sha256: string;
  /** Where external data is looked for. */
  readonly folder: string;
  /** Names these bytes and whatever else belongs to the graph. */
  readonly key: string;
}

/** External data of a graph without a file is nowhere: ONNX Runtime refuses to look below what is no folder. */
const NO_FOLDER = '/dev/null';
/** A file this young may change again within the granularity of its timestamps. */
const TRUSTED_AGE_NS = 2_000_000_000n;
/** Bytes hashed before the event loop gets its turn: some milliseconds. */
const HASH_STEP = 4 << 20;

/** A graph given as bytes. */
export function fromBytes(bytes: Uint8Array): Promise<ModelBytes> {
  return identify(bytes, NO_FOLDER);
}

/** A graph's file and, where its timestamps can be trusted, what says that it is still the same. */
export async function fromFile(file: string): Promise<{ model: ModelBytes; stamp: string | undefined }> {
  const real = await realpath(file);
  const handle = await open(real);
  try {
    const { stamp, trusted } = await stampOf(handle, file);
    const bytes = await handle.readFile();
    const after = await stampOf(handle, file);
    if (after.stamp !== stamp)
      throw new SpillwayError('ERR_FILE_CHANGED', `${file} changed while it was read`);
    return { model: await identify(bytes, path.dirname(real)), stamp: trusted ? stamp : undefined };
  } finally {
    await handle.close();
  }
}

/** The stamp {@link fromFile} would give now. */
export async function stampOfFile(file: string): Promise<string> {
  const handle = await open(file);
  try {
    return (await stampOf(handle, file)).stamp;
  } finally {
    await handle.close();
  }
}

async function stampOf(handle: FileHandle, file: string): Promise<{ stamp: string; trusted: boolean }> {
  const stat = await handle.stat({ bigint: true });
  if (!stat.isFile())
    throw new SpillwayError('ERR_NOT_A_FILE', `expected a file for the model but ${file} is none`);
  return {
    stamp: [stat.dev, stat.ino, stat.size, stat.mtimeNs, stat.ctimeNs].join(':'),
    trusted: BigInt(Date.now()) * 1_000_000n - stat.mtimeNs > TRUSTED_AGE_NS,
  };
}

/** `location` is the key of every reference to external data, which the hash of the graph does not cover. */
async function identify(bytes: Uint8Array, folder: string): Promise<ModelBytes> {
  const hash = createHash('sha256');
  for (let at = 0; at < bytes.length; at += HASH_STEP) {
    hash.update(bytes.subarray(at, at + HASH_STEP));
    await turn();
  }
  const sha256 = hash.digest('hex');
  const external = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes('location');
  return { bytes, sha256, folder, key: external ? `${sha256}@${folder}` : sha256 };
}
