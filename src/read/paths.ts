// Paths as callers name them, turned into the raw bytes that the system takes.
import { fileURLToPath } from 'node:url';
import { invalidArgument, messageOf } from '../util/errors.js';

/** A file: its path, the raw bytes of it, a `file:` URL, or a record of a scan. */
export type FilePath = string | Uint8Array | URL | { readonly pathBytes: Uint8Array };

const EXPECTED = 'a path, its bytes, a file: URL or a record of a scan, without NUL,';

/** The raw bytes of a path; `name` is the argument's name for the error. Throws `ERR_INVALID_ARGUMENT`. */
export function bytesOfPath(path: FilePath, name: string): Uint8Array {
  const bytes = rawBytes(path, name);
  if (!(bytes instanceof Uint8Array) || bytes.includes(0)) throw invalidArgument(name, EXPECTED, path);
  return bytes;
}

/** A path as a string, U+FFFD in place of bytes that are not UTF-8. */
export function textOfPath(path: FilePath): string {
  return typeof path === 'string' ? path : Buffer.from(bytesOfPath(path, 'path')).toString();
}

function rawBytes(path: FilePath, name: string): Uint8Array | undefined {
  if (typeof path === 'string') return Buffer.from(path);
  if (path instanceof Uint8Array) return path;
  return path instanceof URL ? bytesOfUrl(path, name) : path?.pathBytes;
}

function bytesOfUrl(url: URL, name: string): Uint8Array {
  try {
    return Buffer.from(fileURLToPath(url));
  } catch (error) {
    throw invalidArgument(name, `a file: URL (${messageOf(error)})`, url.href);
  }
}

/** Whether a value is a list of paths, rather than one. */
export function isPathList(value: FilePath | Iterable<FilePath>): value is Iterable<FilePath> {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return false;
  return Symbol.iterator in value;
}
