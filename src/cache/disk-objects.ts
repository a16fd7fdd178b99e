// Large values: files named by their SHA-256, shared by all entries that hold the same bytes.
import { createHash } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '../util/errors.js';
import { PAGE_BYTES } from './disk-schema.js';
import type { SqliteDatabase, SqliteStatement } from './disk-sqlite.js';

/** Values above this are objects: SQLite reads and writes smaller ones faster than the file system does. */
export const INLINE_BYTES = 16 * 1024;

/** Files are read in pieces of at most this, the most that one call takes everywhere being 2 GiB. */
const PIECE_BYTES = 2 ** 30;
/** Objects removed in one transaction. */
const GARBAGE = 256;

/** Bytes an object is charged with: the blocks it takes on the disk. */
export function chargeOf(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
}

export function digestOf(value: Uint8Array): Uint8Array {
  return createHash('sha256').update(value).digest();
}

/**
 * Everything but `read` and `find` is to be called inside a write transaction: its lock is what keeps several
 * processes from removing each other's files. Files are not synchronised to the disk one by one: after power
 * loss the last ones may be missing or torn, which their SHA-256 tells.
 */
export class Objects {
  readonly #folder: string;
  readonly #aside: string;
  readonly #insert: SqliteStatement;
  readonly #select: SqliteStatement;
  readonly #garbage: SqliteStatement;
  readonly #delete: SqliteStatement;

  constructor(db: SqliteDatabase, cacheFolder: string) {
    this.#folder = join(cacheFolder, 'objects');
    this.#aside = join(this.#folder, 'aside');
    this.#insert = db.prepare('INSERT INTO objects VALUES (?, ?, 0) ON CONFLICT DO NOTHING');
    this.#select = db.prepare('SELECT 1 AS one FROM objects WHERE digest = ?');
    this.#garbage = db.prepare('SELECT digest FROM objects WHERE refs = 0 LIMIT ?');
    this.#delete = db.prepare('DELETE FROM objects WHERE digest = ?');
  }

  /** The value in a buffer of its own, verified. */
  read(digest: Uint8Array): Uint8Array<ArrayBuffer> | 'missing' | 'corrupt' {
    let fd: number;
    try {
      fd = openSync(this.#fileOf(digest), 'r');
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
      return 'missing';
    }
    try {
      const value = readAll(fd);
      return Buffer.compare(digestOf(value), digest) === 0 ? value : 'corrupt';
    } catch (error) {
      // A disk that cannot read a block any more has lost it just as one that flips its bits.
      if (codeOf(error) !== 'EIO') throw error;
      return 'corrupt';
    } finally {
      closeSync(fd);
    }
  }

  /** Counts an object in before its file is written; without a reference it is garbage until then. */
  reserve(digest: Uint8Array, bytes: number): void {
    this.#insert.run(digest, chargeOf(bytes));
  }

  /** Writes a reserved object's file, unless it stands there intact. */
  write(digest: Uint8Array, value: Uint8Array): void {
    // Another process may have taken the reservation for garbage.
    this.reserve(digest, value.length);
    if (typeof this.read(digest) !== 'string') return;
    const file = this.#fileOf(digest);
    const aside = join(this.#aside, hexOf(digest));
    mkdirSync(this.#aside, { recursive: true, mode: 0o700 });
    mkdirSync(join(file, '..'), { recursive: true, mode: 0o700 });
    // A damaged one would be there twice for a moment.
    rmSync(file, { force: true });
    try {
      writeAll(aside, value);
      renameSync(aside, file);
    } catch (error) {
      rmSync(aside, { force: true });
      throw error;
    }
  }

  /** Removes some of the objects that no entry refers to; whether there may be more. */
  collectGarbage(): boolean {
    const rows = this.#garbage.all(GARBAGE);
    for (const { digest } of rows) {
      rmSync(this.#fileOf(digest as Uint8Array), { force: true });
      this.#delete.run(digest as Uint8Array);
    }
    return rows.length === GARBAGE;
  }

  /** Whether any object waits to be removed. */
  get hasGarbage(): boolean {
    return this.#garbage.get(1) !== undefined;
  }

  /** Whether a process is writing, or died while it was. */
  get hasAside(): boolean {
    return namesIn(this.#aside).length > 0;
  }

  /** Removes what a process that died was writing. */
  clearAside(): void {
    for (const name of namesIn(this.#aside))
      rmSync(join(this.#aside, name), { recursive: true, force: true });
  }

  /** Counts the files without a row in one of 256 folders, and removes them where told to. */
  orphans(folder: number, remove: boolean): number {
    const prefix = folder.toString(16).padStart(2, '0');
    const orphans = namesIn(join(this.#folder, prefix)).filter((name) => {
      if (!/^[0-9a-f]{64}$/.test(name) || !name.startsWith(prefix)) return true;
      return this.#select.get(Buffer.from(name, 'hex')) === undefined;
    });
    if (remove)
      for (const name of orphans) rmSync(join(this.#folder, prefix, name), { recursive: true, force: true });
    return orphans.length;
  }

  #fileOf(digest: Uint8Array): string {
    const hex = hexOf(digest);
    return join(this.#folder, hex.slice(0, 2), hex);
  }
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

function readAll(fd: number): Uint8Array<ArrayBuffer> {
  const value = new Uint8Array(fstatSync(fd).size);
  for (let at = 0; at < value.length; ) {
    const read = readSync(fd, value, at, Math.min(PIECE_BYTES, value.length - at), null);
    if (read === 0) return value.slice(0, at); // It was cut meanwhile; its SHA-256 will not fit.
    at += read;
  }
  return value;
}

function writeAll(file: string, value: Uint8Array): void {
  const fd = openSync(file, 'w', 0o600);
  try {
    for (let at = 0; at < value.length; )
      at += writeSync(fd, value, at, Math.min(PIECE_BYTES, value.length - at));
  } finally {
    closeSync(fd);
  }
}

function namesIn(folder: string): string[] {
  if (!statSync(folder, { throwIfNoEntry: false })) return [];
  return readdirSync(folder);
}
