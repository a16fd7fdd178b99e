// What makes a file "the same file", packed into the key of its result.
import { createHash } from 'node:crypto';
import { invalidArgument } from '../util/errors.js';

/** A file as the file system identifies it; exact, as the scan delivers it. */
export interface StatIdentity {
  readonly dev: bigint;
  readonly ino: bigint;
  /** Bytes. */
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

/** What a result depends on beside its file; 16 bytes of the SHA-256 of the text that names all of it. */
export type Fingerprint = Uint8Array;

/**
 * The key of one result: the pipeline's fingerprint, then the file's identity in full, so that two keys are
 * equal only if all parts of the identity are; the length tells the kinds apart.
 */
export type ResultKey = Uint8Array;

const FINGERPRINT_BYTES = 16;
const SHA256_BYTES = 32;
export const STAT_KEY_BYTES = FINGERPRINT_BYTES + 5 * 8;
export const CONTENT_KEY_BYTES = FINGERPRINT_BYTES + SHA256_BYTES;

/**
 * The coarsest time stamps in use are FAT's 2 s: a file that changed less than this before it was read may
 * change again without its time moving ("racy git", https://git-scm.com/docs/racy-git).
 */
export const RACY_WINDOW_MS = 2000;

const MTIME_AT = FINGERPRINT_BYTES + 24;
const CTIME_AT = FINGERPRINT_BYTES + 32;
const TWO_POW_32 = 2 ** 32;

/** The fingerprint of a pipeline; `text` names all that its results depend on. */
export function fingerprintOf(text: string): Fingerprint {
  return createHash('sha256').update(text).digest().subarray(0, FINGERPRINT_BYTES);
}

/** The key by stat identity. Big-endian, device and inode first: neighbours on disk are neighbours in the index. */
export function statKey(fingerprint: Fingerprint, file: StatIdentity): ResultKey {
  const key = new Uint8Array(STAT_KEY_BYTES);
  const view = new DataView(key.buffer);
  key.set(fingerprint);
  view.setBigUint64(FINGERPRINT_BYTES, file.dev);
  view.setBigUint64(FINGERPRINT_BYTES + 8, file.ino);
  view.setUint32(FINGERPRINT_BYTES + 16, Math.floor(file.size / TWO_POW_32));
  view.setUint32(FINGERPRINT_BYTES + 20, file.size % TWO_POW_32);
  view.setBigInt64(MTIME_AT, file.mtimeNs);
  view.setBigInt64(CTIME_AT, file.ctimeNs);
  return key;
}

/** The key by content identity; `sha256` in lower-case hex. Throws `ERR_INVALID_ARGUMENT` for anything else. */
export function contentKey(fingerprint: Fingerprint, sha256: string): ResultKey {
  const key = new Uint8Array(CONTENT_KEY_BYTES);
  key.set(fingerprint);
  key.set(sha256Bytes(sha256), FINGERPRINT_BYTES);
  return key;
}

/** The 32 bytes of a SHA-256 in lower-case hex. Throws `ERR_INVALID_ARGUMENT` for anything else. */
export function sha256Bytes(sha256: string): Uint8Array {
  if (!/^[0-9a-f]{64}$/.test(sha256))
    throw invalidArgument('sha256', '64 lower-case hexadecimal digits', sha256);
  return Buffer.from(sha256, 'hex');
}

/**
 * Whether stat cannot vouch for what was read, because the file had changed less than
 * {@link RACY_WINDOW_MS} before. `readAtMs` is `Date.now()` from before the file was opened.
 */
export function isRacy(file: Pick<StatIdentity, 'mtimeNs' | 'ctimeNs'>, readAtMs: number): boolean {
  const changedNs = file.mtimeNs > file.ctimeNs ? file.mtimeNs : file.ctimeNs;
  return readAtMs - Number(changedNs) / 1e6 < RACY_WINDOW_MS;
}

/** The key by content identity for the same pipeline as `key`. */
export function contentKeyBeside(key: ResultKey, sha256: Uint8Array): ResultKey {
  const beside = new Uint8Array(CONTENT_KEY_BYTES);
  beside.set(key.subarray(0, FINGERPRINT_BYTES));
  beside.set(sha256, FINGERPRINT_BYTES);
  return beside;
}

/** {@link isRacy} for a key: a content key never is, a stat key carries its times. */
export function isRacyKey(key: ResultKey, readAtMs: number): boolean {
  if (key.length === CONTENT_KEY_BYTES) return false;
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  return isRacy({ mtimeNs: view.getBigInt64(MTIME_AT), ctimeNs: view.getBigInt64(CTIME_AT) }, readAtMs);
}

/** Throws `ERR_INVALID_ARGUMENT` for bytes that neither {@link statKey} nor {@link contentKey} made. */
export function checkKey(key: ResultKey): void {
  if (key.length !== STAT_KEY_BYTES && key.length !== CONTENT_KEY_BYTES)
    throw invalidArgument('key', 'a key made by statKey or contentKey', key);
}
