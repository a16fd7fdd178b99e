// Who a graph is, without loading it: its hash, and that of the files its weights lie in.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { codeOf, SpillwayError } from '../util/errors.js';

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
 * How protobuf writes a `StringStringEntryProto` whose key is `location` (onnx.proto3, TensorProto.external_data):
 * field 1 with its length, then field 2, whose length and text follow.
 */
const LOCATION = Buffer.from('\x0a\x08location\x12', 'latin1');
/** A length of two bytes, and a path of that many. */
const LONGEST_PATH = 2 ** 14;

/**
 * Reads a graph's file once, a piece at a time. Rejects with `ERR_NOT_A_FILE`, or with the system's own code where
 * it cannot be read. External data is looked for as ONNX Runtime does: below the folder of the graph's file.
 */
export async function identifyModel(file: string): Promise<ModelIdentity> {
  const real = await realpath(file);
  if (!(await stat(real)).isFile())
    throw new SpillwayError('ERR_NOT_A_FILE', `expected a file for the model but ${file} is none`);
  const locations = new Set<string>();
  const graph = await digest(real, locations);
  let { bytes } = graph;
  const parts = [graph.sha256];
  for (const location of [...locations].sort()) {
    const data = await externalFile(path.dirname(real), location);
    if (data === undefined) continue; // loading the graph says what is wrong with it
    const { sha256, bytes: more } = await digest(data);
    parts.push(`${location}:${sha256}`);
    bytes += more;
  }
  return { sha256: graph.sha256, key: parts.join(' '), bytes };
}

/** Hashes a file and, where asked, collects the paths of external data that it names. */
async function digest(file: string, locations?: Set<string>): Promise<{ sha256: string; bytes: number }> {
  const hash = createHash('sha256');
  let bytes = 0;
  let rest: Buffer = Buffer.alloc(0);
  for await (const piece of createReadStream(file, { highWaterMark: STEP }) as AsyncIterable<Buffer>) {
    hash.update(piece);
    bytes += piece.length;
    if (!locations) continue;
    const text = Buffer.concat([rest, piece]);
    // What may be cut short at the end is looked at again with the next piece.
    const end = Math.max(0, text.length - LOCATION.length - 2 - LONGEST_PATH);
    collectLocations(text, end, locations);
    rest = text.subarray(end);
  }
  if (locations) collectLocations(rest, rest.length, locations);
  return { sha256: hash.digest('hex'), bytes };
}

/** Adds the locations that begin before `end`. */
function collectLocations(text: Buffer, end: number, locations: Set<string>): void {
  for (let at = text.indexOf(LOCATION); at >= 0 && at < end; at = text.indexOf(LOCATION, at + 1)) {
    let start = at + LOCATION.length;
    let length = text[start++] ?? 0;
    if (length >= 128) length = (length & 127) | ((text[start++] ?? 0) << 7);
    locations.add(text.toString('utf8', start, start + length));
  }
}

/** The file a location leads to; undefined where it is none, or leads out of the folder. */
async function externalFile(folder: string, location: string): Promise<string | undefined> {
  try {
    const real = await realpath(path.resolve(folder, location));
    const inside = real.startsWith(folder.endsWith(path.sep) ? folder : folder + path.sep);
    return inside && (await stat(real)).isFile() ? real : undefined;
  } catch (error) {
    // A name that is none (NUL within it), or that leads nowhere.
    if (codeOf(error) === undefined) throw error;
    return undefined;
  }
}
