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

const STORABLE: ReadonlySet<string> = new Set(['ERR_DECODE', 'ERR_PIXEL_LIMIT', 'ERR_TOO_LARGE']);

/** Whether the content alone determines this failure. `EACCES`, `ENOENT`, changed files and memory errors are tried again. */
export function isStorableFailure(code: string | undefined): boolean {
  return code !== undefined && STORABLE.has(code);
}

/** UTF-8 JSON of a value. Throws `ERR_INVALID_ARGUMENT` for a failure not to be kept or data JSON cannot express. */
export function encodeValue(value: StoredValue): Buffer {
  if ('error' in value && !isStorableFailure(value.error.code))
    throw invalidArgument('value.error.code', `one of ${[...STORABLE].join(', ')}`, value.error.code);
  try {
    return Buffer.from(JSON.stringify(value));
  } catch (cause) {
    throw invalidArgument('value.data', `what JSON can express (${messageOf(cause)})`, value);
  }
}

/** The value of JSON text that passed its checksum. */
export function decodeValue(json: string): StoredValue {
  return JSON.parse(json) as StoredValue;
}
