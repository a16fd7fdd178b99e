// Opens the result store's database: what it must look like, how it is made, what is said when it is not so.
import { messageOf, SpillwayError } from '../util/errors.js';
import { openDatabase, type SqliteDatabase, sqliteResultOf } from './sqlite-driver.js';

/** "spil": tells our databases from anybody else's. */
const APPLICATION_ID = 0x7370696c;
const SCHEMA_VERSION = 1;

/** How long to wait for another process that writes; its transactions take milliseconds. */
const BUSY_TIMEOUT_MS = 10_000;
const BUSY_RETRY_MS = 5;

/**
 * With WAL and `synchronous = NORMAL` a commit survives the death of the process at any instant; power loss
 * may take the last commits, never the database. The page cache bounds what SQLite holds in memory, the small
 * checkpoint the log beside the database. Where WAL is not to be had (network file systems) SQLite stays with
 * its rollback journal, which keeps the first of these promises as well.
 */
const SETTINGS = `
  PRAGMA synchronous = NORMAL;
  PRAGMA cache_size = -2048;
  PRAGMA wal_autocheckpoint = 512;
  PRAGMA journal_size_limit = 4194304;
  PRAGMA temp_store = MEMORY;
  PRAGMA cell_size_check = ON;
  PRAGMA trusted_schema = OFF;
`;

/**
 * Keys stand in an index of their own, rows in order of insertion: with values of 3 kB, inserts and lookups
 * took a third of what they take in one WITHOUT ROWID tree.
 * `racy` is the content's SHA-256 where stat cannot vouch for the entry, NULL where it can.
 */
const SCHEMA = `
  CREATE TABLE fingerprints (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE results (
    key BLOB NOT NULL PRIMARY KEY, racy BLOB, value BLOB NOT NULL, checksum TEXT NOT NULL
  ) STRICT;
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

/**
 * Opens the database at `file`, creating what is missing. Throws `ERR_CACHE_CORRUPT` for a file that is not an
 * intact database of ours, `ERR_CACHE_VERSION` for one of a newer spillway, `ERR_MISSING_DEPENDENCY` without a
 * driver, `ERR_CACHE_FAILED` for whatever else SQLite says.
 */
export function openResultDatabase(file: string): SqliteDatabase {
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
  checkVersion(db, file);
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
  if (version > SCHEMA_VERSION)
    throw new SpillwayError(
      'ERR_CACHE_VERSION',
      `expected a cache of version ${SCHEMA_VERSION} but ${file} is of version ${version}, made by a newer ` +
        'spillway: use that one, or pass another folder with --cache',
    );
}

function readVersion(db: SqliteDatabase): number {
  return db.prepare('PRAGMA user_version').get()?.user_version as number;
}

/** SQLite does not wait for its busy timeout here when two connections switch a new database at once. */
function switchToWal(db: SqliteDatabase): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let waitedMs = 0; ; waitedMs += BUSY_RETRY_MS) {
    try {
      db.exec('PRAGMA journal_mode = WAL');
      return;
    } catch (error) {
      if (sqliteResultOf(error) !== 'SQLITE_BUSY' || waitedMs >= BUSY_TIMEOUT_MS) throw error;
      Atomics.wait(pause, 0, 0, BUSY_RETRY_MS);
    }
  }
}

function corrupt(file: string, what: string, cause?: unknown): SpillwayError {
  return new SpillwayError(
    'ERR_CACHE_CORRUPT',
    `the cache ${file} is damaged (${what}): remove its folder, or pass another one with --cache`,
    { cause },
  );
}
