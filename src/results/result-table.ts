// The result store's table, synchronous: everything the worker thread does with SQLite.
import { SpillwayError } from '../util/errors.js';
import { Checksum, fingerprintDigest } from './checksum.js';
import { cacheError, openResultDatabase } from './schema.js';
import type { SqliteDatabase, SqliteDriver, SqliteStatement, SqlRow } from './sqlite-driver.js';
import { type Change, FoundWriter } from './wire.js';

export class ResultTable {
  readonly #file: string;
  readonly #db: SqliteDatabase;
  readonly #select: SqliteStatement;
  readonly #upsert: SqliteStatement;
  readonly #checksum = new Checksum();
  /** Digests of the fingerprints asked for, by their number. */
  readonly #fingerprints = new Map<number, Uint8Array>();

  /** Throws what `openResultDatabase` throws; the methods throw `ERR_CACHE_CORRUPT` and `ERR_CACHE_FAILED`. */
  constructor(file: string) {
    this.#file = file;
    this.#db = openResultDatabase(file);
    this.#select = this.#prepare('SELECT racy, value, checksum FROM results WHERE key = ?');
    this.#upsert = this.#prepare(`
      INSERT INTO results (key, racy, value, checksum) VALUES (?, ?, ?, ?) ON CONFLICT (key)
      DO UPDATE SET racy = excluded.racy, value = excluded.value, checksum = excluded.checksum`);
  }

  get driver(): SqliteDriver {
    return this.#db.driver;
  }

  /** The number of a fingerprint, which keys begin with; given out at its first mention. */
  fingerprint(text: string): number {
    return this.#transaction('write', () => {
      this.#db.prepare('INSERT INTO fingerprints (text) VALUES (?) ON CONFLICT DO NOTHING').run(text);
      const row = this.#db.prepare('SELECT id FROM fingerprints WHERE text = ?').get(text);
      const id = row?.id as number;
      this.#fingerprints.set(id, fingerprintDigest(text));
      return id;
    });
  }

  /** Looks keys up in one read transaction; the answer is for `unpackFound`. */
  find(keys: Iterable<Uint8Array>): ArrayBuffer {
    const found = new FoundWriter();
    this.#transaction('read', () => {
      for (const key of keys) {
        const row = this.#select.get(key);
        if (!row) found.miss();
        else if (!this.#isIntact(key, row)) found.corrupt();
        else found.hit(row.value as Uint8Array, row.racy as Uint8Array | null);
      }
    });
    return found.finish();
  }

  /** Commits changes, all or none. */
  write(changes: Iterable<Change>): void {
    this.#transaction('write', () => {
      for (const { key, sha256, value } of changes) {
        if (value) this.#put(key, sha256 ?? null, value);
        else if (sha256) this.#confirm(key, sha256);
      }
    });
  }

  close(): void {
    this.#db.close();
  }

  #put(key: Uint8Array, racy: Uint8Array | null, value: Uint8Array): void {
    this.#upsert.run(key, racy, value, this.#checksum.of(this.#digestFor(key), key, racy, value));
  }

  /** Another process may have stored other content meanwhile: only the content that was hashed is trusted. */
  #confirm(key: Uint8Array, sha256: Uint8Array): void {
    const row = this.#select.get(key);
    if (!row?.racy || !this.#isIntact(key, row)) return;
    if (Buffer.compare(row.racy as Uint8Array, sha256) === 0) this.#put(key, null, row.value as Uint8Array);
  }

  #isIntact(key: Uint8Array, { racy, value, checksum }: SqlRow): boolean {
    if (!(value instanceof Uint8Array)) return false;
    if (racy !== null && !(racy instanceof Uint8Array && racy.length === 32)) return false;
    return this.#checksum.of(this.#digestFor(key), key, racy, value) === checksum;
  }

  #digestFor(key: Uint8Array): Uint8Array {
    const id = new DataView(key.buffer, key.byteOffset, key.byteLength).getUint32(0);
    const digest = this.#fingerprints.get(id);
    if (digest) return digest;
    throw new SpillwayError(
      'ERR_INVALID_ARGUMENT',
      `expected a key whose fingerprint this store gave out but received number ${id}`,
    );
  }

  #prepare(sql: string): SqliteStatement {
    try {
      return this.#db.prepare(sql);
    } catch (error) {
      this.#db.close();
      throw cacheError(error, this.#file);
    }
  }

  #transaction<T>(kind: 'read' | 'write', body: () => T): T {
    try {
      return this.#db.transaction(kind, body);
    } catch (error) {
      throw cacheError(error, this.#file);
    }
  }
}
