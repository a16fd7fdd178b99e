// What is kept for a file, as JSON text: its result, or the failure that its content determines.
import { invalidArgument, messageOf } from '../util/errors.js';

/** A result as a workload made it. `data` is whatever JSON can express; `sha256` only if the whole file was read. */
export interface StoredSuccess {
  readonly kind: string;
  readonly data: unknown;
  readonly sha256?: string;
}

/** A failure that would come again for the same content. */
export interface StoredFailure {
  readonly error: { readonly code: string; readonly message: string };
}

export type StoredValue = StoredSuccess | StoredFailure;

/** An entry of the store. */
export interface Stored {
  /** SHA-256 of the content, where stat cannot vouch for it. */
  readonly racy: Uint8Array | undefined;
  /** The value, or the SHA-256 of the content whose entry holds it. */
  readonly held: { readonly value: StoredValue } | { readonly content: Uint8Array };
}

const STORABLE: ReadonlySet<string> = new Set(['ERR_DECODE', 'ERR_PIXEL_LIMIT', 'ERR_TOO_LARGE']);

/** The first byte of an entry; a SHA-256 follows unless it is `VALUE`, and JSON unless it is a link. */
const VALUE = 0;
const RACY_VALUE = 1;
const LINK = 2;
const RACY_LINK = 3;
const SHA256_BYTES = 32;

/** Whether the content alone determines this failure. `EACCES`, `ENOENT`, changed files and memory errors are tried again. */
export function isStorableFailure(code: string | undefined): boolean {
  return code !== undefined && STORABLE.has(code);
}

/** The entry of a value. Throws `ERR_INVALID_ARGUMENT` for a failure not to be kept or data JSON cannot express. */
export function encodeValue(value: StoredValue, racy: Uint8Array | undefined): Uint8Array {
  const json = jsonOf(value);
  const jsonAt = racy ? 1 + SHA256_BYTES : 1;
  const entry = Buffer.allocUnsafe(jsonAt + Buffer.byteLength(json));
  entry[0] = racy ? RACY_VALUE : VALUE;
  if (racy) entry.set(racy, 1);
  entry.write(json, jsonAt);
  return entry;
}

/** The entry that says which content a file has, where values are kept by content. */
export function encodeLink(content: Uint8Array, isRacy: boolean): Uint8Array {
  return Buffer.concat([Buffer.of(isRacy ? RACY_LINK : LINK), content]);
}

/** An entry that passed its checksum. */
export function decodeEntry(bytes: Uint8Array): Stored {
  const entry = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kind = entry[0];
  if (kind === VALUE) return { racy: undefined, held: { value: parse(entry, 1) } };
  const sha256 = entry.subarray(1, 1 + SHA256_BYTES);
  if (kind === RACY_VALUE) return { racy: sha256, held: { value: parse(entry, 1 + SHA256_BYTES) } };
  return { racy: kind === RACY_LINK ? sha256 : undefined, held: { content: sha256 } };
}

function parse(entry: Buffer, jsonAt: number): StoredValue {
  return JSON.parse(entry.toString('utf8', jsonAt)) as StoredValue;
}

function jsonOf(value: StoredValue): string {
  if ('error' in value && !isStorableFailure(value.error.code))
    throw invalidArgument('value.error.code', `one of ${[...STORABLE].join(', ')}`, value.error.code);
  try {
    return JSON.stringify(value);
  } catch (cause) {
    throw invalidArgument('value.data', `what JSON can express (${messageOf(cause)})`, value);
  }
}
