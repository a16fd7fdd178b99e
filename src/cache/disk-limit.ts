// Keeps a disk cache within its bytes: what a transaction may write, whether there is room, who leaves for it.
import { statSync } from 'node:fs';
import { chargeOf, INLINE_BYTES } from './disk-objects.js';
import { BUSY_RETRY_MS, BUSY_TIMEOUT_MS, PAGE_BYTES, pause } from './disk-schema.js';
import type { SqliteDatabase, SqliteStatement } from './disk-sqlite.js';
import type { Change } from './disk-wire.js';

/** A page in the write-ahead log stands behind a header of 24 bytes (https://www.sqlite.org/fileformat2.html#walformat). */
const FRAME_BYTES = PAGE_BYTES + 24;
/** The index of the log in shared memory: 32 KiB serve 4096 frames. */
const SHM_BYTES = 32 * 1024;

/**
 * Pages one change writes at most, beside those of its value: a leaf of the table and of both indexes, their
 * splits, the pointer map. Counted generously: what is too much is kept free, what is too little would
 * make the log outgrow its share.
 */
const CHANGE_PAGES = 6;
const TRANSACTION_PAGES = 8;
/** Bytes an entry takes in the table and its indexes beside its value, at least. */
const ENTRY_BYTES = 150;

/** A transaction of a cache of this many bytes may write 1/64 of it in pages, within these bounds. */
const TRANSACTION_SHARE = 64;
const MIN_TRANSACTION_PAGES = 32;
const MAX_TRANSACTION_PAGES = 1024;
/**
 * The log is copied into the database once it has 1/16 of the limit, at most 2 MB, above which nothing gets faster:
 * every time costs two synchronisations of the disk, of milliseconds each.
 */
const LOG_SHARE = 16;
const MAX_CHECKPOINT_PAGES = 512;

/** What a batch of changes takes at most. */
export interface Need {
  readonly pages: number;
  readonly objectBytes: number;
}

/** What a step towards room did. */
export interface RoomStep {
  readonly expired: number;
  readonly evicted: number;
  /** Whether the database has fewer pages now; its file is cut once the log has been copied. */
  readonly gaveBack: boolean;
}

export const NO_NEED: Need = { pages: 0, objectBytes: 0 };

export function isLarge(value: Uint8Array | undefined): boolean {
  return value !== undefined && value.length > INLINE_BYTES;
}

/** The limit of one database; infinite unless told. */
export class Limit {
  readonly isFinite: boolean;
  readonly transactionPages: number;
  readonly #db: SqliteDatabase;
  readonly #file: string;
  /** The log is emptied before the next transaction once it is longer than this. */
  readonly #checkpointBytes: number;
  /** What database and objects may take, the log's share apart. */
  readonly #storeBytes: number;
  readonly #checkpoint: SqliteStatement;
  readonly #pageCount: SqliteStatement;
  readonly #freePages: SqliteStatement;
  readonly #objectBytes: SqliteStatement;
  readonly #expired: SqliteStatement;
  readonly #worst: SqliteStatement;
  readonly #remove: SqliteStatement;

  constructor(db: SqliteDatabase, file: string, maxBytes: number | null) {
    this.#db = db;
    this.#file = file;
    this.isFinite = maxBytes !== null;
    const pages = (maxBytes ?? Number.POSITIVE_INFINITY) / PAGE_BYTES;
    this.transactionPages = Math.floor(
      Math.min(Math.max(pages / TRANSACTION_SHARE, MIN_TRANSACTION_PAGES), MAX_TRANSACTION_PAGES),
    );
    const checkpointPages = Math.floor(Math.min(pages / LOG_SHARE, MAX_CHECKPOINT_PAGES));
    // SQLite's own way leaves the log as long as it once was, so that its length says nothing.
    db.exec(`PRAGMA wal_autocheckpoint = ${this.isFinite ? 0 : checkpointPages}`);
    this.#checkpointBytes = checkpointPages * FRAME_BYTES;
    const logBytes = this.#checkpointBytes + this.transactionPages * FRAME_BYTES;
    this.#storeBytes = (maxBytes ?? Number.POSITIVE_INFINITY) - logBytes - SHM_BYTES;
    this.#checkpoint = db.prepare('PRAGMA wal_checkpoint(TRUNCATE)');
    this.#pageCount = db.prepare('PRAGMA page_count');
    this.#freePages = db.prepare('PRAGMA freelist_count');
    this.#objectBytes = db.prepare('SELECT bytes FROM totals');
    const bytes = `coalesce(length(value), 0) +
      coalesce((SELECT bytes FROM objects WHERE digest = entries.object AND refs = 1), 0) AS bytes`;
    this.#expired = db.prepare(`
      SELECT rowid AS id, ${bytes} FROM entries WHERE expires <= ? ORDER BY expires LIMIT ?`);
    this.#worst = db.prepare(
      `SELECT rowid AS id, ${bytes} FROM entries ORDER BY priority, used, rowid LIMIT ?`,
    );
    this.#remove = db.prepare('DELETE FROM entries WHERE rowid = ?');
  }

  /** Splits changes into batches that a transaction may write. */
  *split(changes: Iterable<Change>): Generator<Change[]> {
    let batch: Change[] = [];
    let pages = TRANSACTION_PAGES;
    for (const change of changes) {
      const more = pagesOf(change);
      if (batch.length > 0 && pages + more > this.transactionPages) {
        yield batch;
        batch = [];
        pages = TRANSACTION_PAGES;
      }
      batch.push(change);
      pages += more;
    }
    if (batch.length > 0) yield batch;
  }

  needOf(changes: readonly Change[]): Need {
    let [pages, objectBytes] = [TRANSACTION_PAGES, 0];
    for (const change of changes) {
      pages += pagesOf(change);
      if (isLarge(change.value)) objectBytes += chargeOf(change.value?.length ?? 0);
    }
    return { pages, objectBytes };
  }

  /** Bytes that are missing for a need; 0 or less where there is room. */
  shortage(need: Need): number {
    if (!this.isFinite) return 0;
    const grown = this.#pages() + Math.max(0, need.pages - this.#free());
    // After pages were given back, the file is as long as before until the log is copied into it.
    const databaseBytes = Math.max(grown * PAGE_BYTES, sizeOf(this.#file));
    return databaseBytes + this.objectBytes() + need.objectBytes - this.#storeBytes;
  }

  /**
   * One bounded step towards room, in a write transaction: gives free pages back where that is worth it, else
   * removes entries, expired ones first, then by priority, then by age. Null where nothing is left to do.
   */
  makeRoom(need: Need, shortage: number, now: number): RoomStep | null {
    const spare = this.#free() - need.pages;
    const wanted = Math.ceil(shortage / PAGE_BYTES);
    // Until the log is copied over, the file is as long as before: a few pages are not worth that.
    if (spare < Math.min(wanted, this.#vacuumPages)) {
      const expired = this.removeExpired(now);
      if (expired > 0) return { expired, evicted: 0, gaveBack: false };
      const evicted = this.#removeUntil(this.#worst.all(this.#removals), shortage);
      if (evicted > 0) return { expired, evicted, gaveBack: false };
    }
    if (spare <= 0) return null;
    this.giveBack(Math.min(spare, wanted));
    return { expired: 0, evicted: 0, gaveBack: true };
  }

  /** Removes some of the entries that have expired. */
  removeExpired(now: number): number {
    return this.#removeUntil(this.#expired.all(now, this.#removals), Number.POSITIVE_INFINITY);
  }

  /** Removes some entries, whichever. */
  removeSome(): number {
    return this.#removeUntil(this.#worst.all(this.#removals), Number.POSITIVE_INFINITY);
  }

  /** Cuts free pages off the database, some at a time; whether there are more. */
  giveBack(pages = Number.POSITIVE_INFINITY): boolean {
    const free = this.#free();
    const step = Math.min(free, pages, this.#vacuumPages);
    if (step > 0) this.#db.exec(`PRAGMA incremental_vacuum(${step})`);
    return step < free;
  }

  /** Whether the log has to be emptied before the next transaction; certain only in a write transaction. */
  get logIsFull(): boolean {
    return this.isFinite && sizeOf(`${this.#file}-wal`) > this.#checkpointBytes;
  }

  /** Copies the log into the database and empties it; false where others kept it from that for too long. */
  checkpoint(): boolean {
    // Of two that want to do this at once SQLite refuses one without waiting for its busy timeout.
    for (let waitedMs = 0; waitedMs <= BUSY_TIMEOUT_MS; waitedMs += BUSY_RETRY_MS) {
      if (this.#checkpoint.get()?.busy === 0) return true;
      pause(BUSY_RETRY_MS);
    }
    return false;
  }

  /** Everything the cache takes on the disk. */
  bytes(): number {
    const files = ['', '-wal', '-shm', '-journal'].map((suffix) => sizeOf(this.#file + suffix));
    return files.reduce((sum, size) => sum + size, this.objectBytes());
  }

  objectBytes(): number {
    return this.#objectBytes.get()?.bytes as number;
  }

  /** A page that is moved into a gap costs itself, its parent and the pointer map. */
  get #vacuumPages(): number {
    return Math.floor(this.transactionPages / 3);
  }

  get #removals(): number {
    return Math.floor(this.transactionPages / CHANGE_PAGES);
  }

  #removeUntil(rows: readonly { id?: unknown; bytes?: unknown }[], wanted: number): number {
    let removed = 0;
    for (const { id, bytes } of rows) {
      if (wanted <= 0) break;
      this.#remove.run(id as number);
      wanted -= (bytes as number) + ENTRY_BYTES;
      removed++;
    }
    return removed;
  }

  #pages(): number {
    return this.#pageCount.get()?.page_count as number;
  }

  #free(): number {
    return this.#freePages.get()?.freelist_count as number;
  }
}

function pagesOf({ value }: Change): number {
  return CHANGE_PAGES + (value && !isLarge(value) ? Math.ceil(value.length / PAGE_BYTES) : 0);
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
