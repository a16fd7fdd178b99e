// Opens a disk cache's database: what it must look like, how it is made, what is said when it is not so.
import { messageOf, SpillwayError } from '../util/errors.js';
import { openDatabase, type SqliteDatabase, sqliteResultOf } from './disk-sqlite.js';

/** "spil": tells our databases from anybody else's. */
const APPLICATION_ID = 0x7370696c;
const SCHEMA_VERSION = 2;

/** How long to wait for another process that writes; its transactions take milliseconds. */
export const BUSY_TIMEOUT_MS = 10_000;
export const BUSY_RETRY_MS = 5;

/** Bytes of a page, SQLite's default; what the limit counts in. */
export const PAGE_BYTES = 4096;

/**
 * With WAL and `synchronous = NORMAL` a commit survives the death of the process at any instant; power loss
 * may take the last commits, never the database. The page cache bounds what SQLite holds in memory; a
 * transaction is bounded too, so its pages need not be spilled to the log before their time. Where WAL is not
 * to be had (network file systems) SQLite stays with its rollback journal, which keeps the first of these
 * promises as well.
 */
const SETTINGS = `
  PRAGMA synchronous = NORMAL;
  PRAGMA cache_size = -2048;
  PRAGMA cache_spill = OFF;
  PRAGMA journal_size_limit = 4194304;
  PRAGMA temp_store = MEMORY;
  PRAGMA cell_size_check = ON;
  PRAGMA trusted_schema = OFF;
`;

/**
 * Keys stand in an index of their own, rows in order of insertion: with values of 3 kB, inserts and lookups
 * took a third of what they take in one WITHOUT ROWID tree. A value stands in its row, or is an object: a file
 * named by its SHA-256, which any number of entries share. An object without references is garbage; that its
 * row is there before its file is written and until its file is removed is what makes every crash harmless.
 */
const SCHEMA = `
  CREATE TABLE entries (
    key BLOB NOT NULL PRIMARY KEY, checksum TEXT NOT NULL, priority INTEGER NOT NULL, used INTEGER NOT NULL,
    expires INTEGER, object BLOB, value BLOB
  ) STRICT;
  CREATE INDEX entries_by_worth ON entries (priority, used);
  CREATE INDEX entries_by_expiry ON entries (expires) WHERE expires IS NOT NULL;

  CREATE TABLE objects (digest BLOB NOT NULL PRIMARY KEY, bytes INTEGER NOT NULL, refs INTEGER NOT NULL) STRICT;
  CREATE INDEX garbage ON objects (digest) WHERE refs = 0;
  CREATE TABLE totals (bytes INTEGER NOT NULL) STRICT;
  INSERT INTO totals VALUES (0);

  CREATE TRIGGER entry_added AFTER INSERT ON entries WHEN new.object IS NOT NULL
    BEGIN UPDATE objects SET refs = refs + 1 WHERE digest = new.object; END;
  CREATE TRIGGER entry_removed AFTER DELETE ON entries WHEN old.object IS NOT NULL
    BEGIN UPDATE objects SET refs = refs - 1 WHERE digest = old.object; END;
  CREATE TRIGGER entry_replaced AFTER UPDATE OF object ON entries WHEN old.object IS NOT new.object BEGIN
    UPDATE objects SET refs = refs - 1 WHERE digest = old.object;
    UPDATE objects SET refs = refs + 1 WHERE digest = new.object;
  END;
  CREATE TRIGGER object_added AFTER INSERT ON objects BEGIN UPDATE totals SET bytes = bytes + new.bytes; END;
  CREATE TRIGGER object_removed AFTER DELETE ON objects BEGIN UPDATE totals SET bytes = bytes - old.bytes; END;

  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

/**
 * Opens the database at `file`, creating what is missing. Throws `ERR_CACHE_CORRUPT` for a file that is not an
 * intact database of ours, `ERR_CACHE_VERSION` for one of a newer spillway, `ERR_MISSING_DEPENDENCY` without a
 * driver, `ERR_CACHE_FAILED` for whatever else SQLite says.
 */
export function openCacheDatabase(file: string): SqliteDatabase {
  let db: SqliteDatabase | undefined;
  try {
    db = openDatabase(file);
    prepareSchema(db, file);
    return db;
  } catch (error) {
    db?.close();
    // While opening, a plain SQLITE_ERROR is a header or a schema that SQLite cannot make sense of.
    throw sqliteResultOf(error) === 'SQLITE_ERROR'
      ? corrupt(file, messageOf(error))
      : cacheError(error, file);
  }
}

/** What an SQLite driver threw, as an error of ours that names the file and the remedy. */
export function cacheError(error: unknown, file: string): SpillwayError {
  if (error instanceof SpillwayError) return error;
  const result = sqliteResultOf(error);
  const what = result ? `${result}: ${messageOf(error)}` : messageOf(error);
  if (result === 'SQLITE_CORRUPT' || result === 'SQLITE_NOTADB') return corrupt(file, what, error);
  return new SpillwayError('ERR_CACHE_FAILED', `the cache ${file} could not be used (${what})`, {
    cause: error,
  });
}

function prepareSchema(db: SqliteDatabase, file: string): void {
  db.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
  // At one moment: another process may be laying the database out.
  db.transaction('read', () => checkVersion(db, file));
  // Only an empty database takes this, and only before its first page is written.
  db.exec('PRAGMA auto_vacuum = INCREMENTAL');
  switchToWal(db);
  db.exec(SETTINGS);
  if (readVersion(db) === SCHEMA_VERSION) return;
  db.transaction('write', () => {
    // Another process may have been first.
    if (readVersion(db) === 0) db.exec(SCHEMA);
  });
}

function checkVersion(db: SqliteDatabase, file: string): void {
  const version = readVersion(db);
  const application = db.prepare('PRAGMA application_id').get()?.application_id;
  const tables = db.prepare('SELECT count(*) AS count FROM sqlite_schema').get()?.count;
  if (version === 0 && application === 0 && tables === 0) return; // New.
  if (application !== APPLICATION_ID) throw corrupt(file, 'it is a database of something else');
  if (version !== SCHEMA_VERSION)
    throw new SpillwayError(
      'ERR_CACHE_VERSION',
      `expected a cache of version ${SCHEMA_VERSION} but ${file} is of version ${version}, made by another ` +
        'spillway: use that one, or pass another folder with --cache',
    );
}

function readVersion(db: SqliteDatabase): number {
  return db.prepare('PRAGMA user_version').get()?.user_version as number;
}

/** SQLite does not wait for its busy timeout here when two connections switch a new database at once. */
function switchToWal(db: SqliteDatabase): void {
  for (let waitedMs = 0; ; waitedMs += BUSY_RETRY_MS) {
    try {
      db.exec('PRAGMA journal_mode = WAL');
      return;
    } catch (error) {
      if (sqliteResultOf(error) !== 'SQLITE_BUSY' || waitedMs >= BUSY_TIMEOUT_MS) throw error;
      pause(BUSY_RETRY_MS);
    }
  }
}

/** Lets this thread sleep. */
export function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function corrupt(file: string, what: string, cause?: unknown): SpillwayError {
  return new SpillwayError(
    'ERR_CACHE_CORRUPT',
    `the cache ${file} is damaged (${what}): remove its folder, or pass another one with --cache`,
    { cause },
  );
}
