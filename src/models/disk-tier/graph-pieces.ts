// Optimised graphs as entries of a disk cache: in pieces, so that neither the event loop nor memory meets one whole.
import { randomBytes } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { DiskCache, DiskSetOptions } from '../../cache/disk-cache.js';
import { SpillwayError } from '../../util/errors.js';
import { readPieces } from '../read-pieces.js';
import { ChargedBytes } from '../vetting/charged-bytes.js';
import { rejected } from '../vetting/rejection.js';
import { ModelVetting, type VettedModel } from '../vetting/vetting.js';
import type { KeptGraph } from './graph-record.js';

const ID_BYTES = 16;
/** With its id 2 MiB, which are copied between two turns of the event loop: a millisecond. */
export const PIECE_BYTES = (2 << 20) - ID_BYTES;

/** They leave before whatever else is in the store. Those of an old runtime, and old verdicts, are gone after a month. */
export const ENTRY: DiskSetOptions = { ttl: '30d', priority: -1 };

/** `GraphProto.input` and `GraphProto.value_info` with their wire type: messages of the same kind. */
const INPUT_TAG = (11 << 3) | 2;
const VALUE_INFO_TAG = (13 << 3) | 2;

/** Puts `bytes` of a file into the store. Resolves with the id of the pieces. */
export async function writeGraph(
  store: DiskCache,
  key: string,
  file: FileHandle,
  bytes: number,
): Promise<string> {
  const id = randomBytes(ID_BYTES);
  const buffer = new Uint8Array(ID_BYTES + Math.min(bytes, PIECE_BYTES));
  buffer.set(id);
  for (const [number, [from, to]] of pieces(bytes).entries()) {
    const piece = buffer.subarray(0, ID_BYTES + to - from);
    await readPieces(file, from, piece.subarray(ID_BYTES), () => undefined);
    await store.ready();
    await store.set(pieceKey(key, number), piece, ENTRY);
  }
  return id.toString('hex');
}

/**
 * The graph, read and vetted as if it came from anywhere. Operators may be of `domains` beside the default ones, among
 * which are those that ONNX Runtime's optimiser puts in. Undefined where there is no room for it without something else
 * giving way. Rejects with `ERR_CACHE_CORRUPT` where it is not whole, `ERR_MODEL_REJECTED`, and as the store does.
 */
export async function readGraph(
  store: DiskCache,
  key: string,
  { id, bytes, inputs }: KeptGraph,
  domains: readonly string[],
): Promise<ChargedBytes | undefined> {
  const memory = ChargedBytes.ifRoom(bytes);
  if (!memory) return undefined;
  try {
    const vetting = new ModelVetting(bytes, domains);
    for (const [number, [from, to]] of pieces(bytes).entries()) {
      const piece = await store.get(pieceKey(key, number));
      if (piece?.length !== ID_BYTES + to - from || Buffer.from(piece).toString('hex', 0, ID_BYTES) !== id)
        throw new SpillwayError('ERR_CACHE_CORRUPT', `piece ${number} of an optimised graph is not there`);
      const part = piece.subarray(ID_BYTES);
      vetting.push(part);
      memory.bytes.set(part, from);
    }
    const vetted = vetting.end();
    const [external] = vetted.external;
    if (external) throw rejected(external.where, 'expected data within an optimised graph');
    dropInputs(memory.bytes, vetted.inputs, inputs);
    return memory;
  } catch (error) {
    memory[Symbol.dispose]();
    throw error;
  }
}

/**
 * Takes from a graph the inputs that it does not have when it is loaded plainly. In old models (IR version 3) every
 * initialiser is an input as well; where the optimiser folds it away the input stays, and would have to be fed.
 */
function dropInputs(graph: Uint8Array, found: VettedModel['inputs'], wanted: readonly string[]): void {
  for (const { name, at } of found)
    if (!wanted.includes(name) && graph[at] === INPUT_TAG) graph[at] = VALUE_INFO_TAG;
}

/** Removes the pieces of a graph. */
export async function deleteGraph(store: DiskCache, key: string, { bytes }: KeptGraph): Promise<void> {
  await Promise.all(pieces(bytes).map((_, number) => store.delete(pieceKey(key, number))));
}

function pieces(bytes: number): [from: number, to: number][] {
  return Array.from({ length: Math.ceil(bytes / PIECE_BYTES) }, (_, number) => [
    number * PIECE_BYTES,
    Math.min(bytes, (number + 1) * PIECE_BYTES),
  ]);
}

function pieceKey(key: string, number: number): string {
  return `${key} ${number}`;
}
