// The entries of a disk cache: one row each, verified whenever it is read.
import { Checksum } from './disk-checksum.js';
import type { SqliteDatabase, SqliteStatement, SqlRow } from './disk-sqlite.js';

/** What an entry holds: its value, or the SHA-256 of the object that does. */
export type Held = { readonly value: Uint8Array } | { readonly digest: Uint8Array };

/** An entry as a change describes it. */
export interface NewEntry {
  readonly key: Uint8Array;
  readonly priority: number;
  readonly expires: number | undefined;
  readonly held: Held;
}

/** An entry's use is noted only when the last one is this old: reading must not mean writing. */
const USE_RESOLUTION_MS = 60_000;
/** Uses are written with the next changes, or at the latest when there are this many. */
const MAX_USES = 4096;

export class Entries {
  readonly #select: SqliteStatement;
  readonly #exists: SqliteStatement;
  readonly #upsert: SqliteStatement;
  readonly #delete: SqliteStatement;
  readonly #use: SqliteStatement;
  readonly #after: SqliteStatement;
  readonly #checksum = new Checksum();
  readonly #tracksUse: boolean;
  #uses = new Map<number, number>();

  /** `tracksUse`: whether it matters which entry was used last, because there is a limit. */
  constructor(db: SqliteDatabase, tracksUse: boolean) {
    this.#tracksUse = tracksUse;
    this.#select = db.prepare(
      'SELECT rowid AS id, checksum, priority, used, expires, object, value FROM entries WHERE key = ?',
    );
    this.#exists = db.prepare(
      'SELECT 1 AS one FROM entries WHERE key = ? AND (expires IS NULL OR expires > ?)',
    );
    this.#upsert = db.prepare(`
      INSERT INTO entries (key, checksum, priority, used, expires, object, value) VALUES (?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (key) DO UPDATE SET checksum = excluded.checksum, priority = excluded.priority,
        used = excluded.used, expires = excluded.expires, object = excluded.object, value = excluded.value`);
    this.#delete = db.prepare('DELETE FROM entries WHERE key = ?');
    this.#use = db.prepare('UPDATE entries SET used = ? WHERE rowid = ?');
    this.#after = db.prepare(`
      SELECT rowid AS id, key, checksum, priority, expires, object, value FROM entries WHERE rowid > ?
      ORDER BY rowid LIMIT 1`);
  }

  /** What a key's entry holds, as far as its row tells; an expired one is a miss. */
  find(key: Uint8Array, now: number): Held | 'miss' | 'corrupt' {
    const row = this.#select.get(key);
    if (!row) return 'miss';
    const held = this.#verified(key, row);
    if (held === 'corrupt') return held;
    if (row.expires !== null && (row.expires as number) <= now) return 'miss';
    if (this.#tracksUse && now - (row.used as number) >= USE_RESOLUTION_MS)
      this.#uses.set(row.id as number, now);
    return held;
  }

  /** Whether there is an entry that has not expired; it is not verified. */
  has(key: Uint8Array, now: number): boolean {
    return this.#exists.get(key, now) !== undefined;
  }

  put({ key, priority, expires, held }: NewEntry, now: number): void {
    const isDigest = 'digest' in held;
    const body = isDigest ? held.digest : held.value;
    const sealed = { priority, expires: expires ?? null, isDigest, body };
    const [object, value] = isDigest ? [body, null] : [null, body];
    const checksum = this.#checksum.of(key, sealed);
    this.#upsert.run(key, checksum, priority, now, sealed.expires, object, value);
  }

  remove(key: Uint8Array): void {
    this.#delete.run(key);
  }

  /** The entry behind a row number, or undefined at the end; expired ones too. */
  next(after: number): { id: number; held: Held | 'corrupt' } | undefined {
    const row = this.#after.get(after);
    return row && { id: row.id as number, held: this.#verified(row.key as Uint8Array, row) };
  }

  /** Whether enough uses wait to be worth a transaction of their own. */
  get manyUses(): boolean {
    return this.#uses.size >= MAX_USES;
  }

  get hasUses(): boolean {
    return this.#uses.size > 0;
  }

  /** Writes which entries were used since the last time; call it in a write transaction. */
  writeUses(limit: number): void {
    for (const [id, now] of this.#uses) {
      if (limit-- <= 0) return;
      this.#use.run(now, id);
      this.#uses.delete(id);
    }
  }

  #verified(key: Uint8Array, row: SqlRow): Held | 'corrupt' {
    const { checksum, priority, expires, object, value } = row;
    const isDigest = object !== null;
    const body = isDigest ? object : value;
    if (!(body instanceof Uint8Array)) return 'corrupt';
    const sealed = { priority: priority as number, expires: expires as number | null, isDigest, body };
    if (this.#checksum.of(key, sealed) !== checksum) return 'corrupt';
    return isDigest ? { digest: body } : { value: body };
  }
}
