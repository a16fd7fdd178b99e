// The one place that knows which SQLite this Node has: `node:sqlite`, else the optional peer `better-sqlite3`.
import { createRequire } from 'node:module';
import { codeOf, missingDependency } from '../util/errors.js';

export type SqlValue = string | number | null | Uint8Array;
export type SqlRow = Record<string, SqlValue>;

/** Which SQLite serves: `version` is the package's, or Node's where SQLite is built into it. */
export interface SqliteDriver {
  readonly name: 'node:sqlite' | 'better-sqlite3';
  readonly version: string;
}

export interface SqliteStatement {
  /** The first row, or undefined. */
  get(...values: SqlValue[]): SqlRow | undefined;
  all(...values: SqlValue[]): SqlRow[];
  run(...values: SqlValue[]): unknown;
}

export interface SqliteDatabase {
  readonly driver: SqliteDriver;
  exec(sql: string): void;
  prepare(sql: string): SqliteStatement;
  /** Runs `body` in one transaction: committed when it returns, rolled back when it throws. */
  transaction<T>(kind: 'read' | 'write', body: () => T): T;
  close(): void;
}

/** What both drivers share, by the names both use. */
interface RawDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): SqliteStatement;
  close(): void;
  /** better-sqlite3 */
  readonly inTransaction?: boolean;
  /** node:sqlite, from Node 22.16 */
  readonly isTransaction?: boolean;
}

/**
 * Opens, or creates, the database at `file`. Throws what SQLite throws (see {@link sqliteResultOf}), and
 * `ERR_MISSING_DEPENDENCY` where no driver can be loaded.
 */
export function openDatabase(file: string): SqliteDatabase {
  const builtin = loadBuiltin();
  if (builtin)
    return wrap(new builtin.DatabaseSync(file), { name: 'node:sqlite', version: process.versions.node });
  const { open, version } = loadPackage();
  return wrap(open(file), { name: 'better-sqlite3', version });
}

/** Which SQLite would serve, without a file. Throws `ERR_MISSING_DEPENDENCY` where there is none. */
export function sqliteDriver(): SqliteDriver {
  const database = openDatabase(':memory:');
  database.close();
  return database.driver;
}

/**
 * SQLite's primary result of a thrown value, such as `SQLITE_CORRUPT`; undefined for anything that did not
 * come from SQLite. Extended results (`SQLITE_IOERR_WRITE`) are cut to their primary one.
 */
export function sqliteResultOf(error: unknown): string | undefined {
  const code = codeOf(error);
  if (code?.startsWith('SQLITE_')) return code.split('_').slice(0, 2).join('_');
  const number = (error as { errcode?: unknown } | null)?.errcode;
  if (code !== 'ERR_SQLITE_ERROR' || typeof number !== 'number') return undefined;
  return RESULT_NAMES[number & 0xff] ?? `SQLITE_${number}`;
}

/** https://www.sqlite.org/rescode.html: those that are told apart here or worth a name in a message. */
const RESULT_NAMES: Record<number, string> = {
  1: 'SQLITE_ERROR',
  5: 'SQLITE_BUSY',
  7: 'SQLITE_NOMEM',
  8: 'SQLITE_READONLY',
  10: 'SQLITE_IOERR',
  11: 'SQLITE_CORRUPT',
  13: 'SQLITE_FULL',
  14: 'SQLITE_CANTOPEN',
  26: 'SQLITE_NOTADB',
};

function wrap(raw: RawDatabase, driver: SqliteDriver): SqliteDatabase {
  return {
    driver,
    exec: (sql) => void raw.exec(sql),
    prepare: (sql) => raw.prepare(sql),
    close: () => raw.close(),
    transaction(kind, body) {
      raw.exec(kind === 'write' ? 'BEGIN IMMEDIATE' : 'BEGIN');
      try {
        const result = body();
        raw.exec('COMMIT');
        return result;
      } catch (error) {
        // A full disk or an I/O error ends the transaction by itself; ROLLBACK would then be an error.
        if (raw.inTransaction ?? raw.isTransaction ?? true) raw.exec('ROLLBACK');
        throw error;
      }
    },
  };
}

interface BuiltinSqlite {
  readonly DatabaseSync: new (file: string) => RawDatabase;
}

function loadBuiltin(): BuiltinSqlite | undefined {
  // Loading the module prints an ExperimentalWarning. It loads synchronously, so nobody else's warning can
  // fall into the moment in which this one is left out.
  const emitWarning = process.emitWarning;
  process.emitWarning = () => undefined;
  try {
    return process.getBuiltinModule('node:sqlite') as BuiltinSqlite | undefined;
  } finally {
    process.emitWarning = emitWarning;
  }
}

const PACKAGE_MAJOR = '12';

function loadPackage(): { open: (file: string) => RawDatabase; version: string } {
  const require = createRequire(import.meta.url);
  try {
    const { version } = require('better-sqlite3/package.json') as { version: string };
    // 13 needs a newer Node than the ones that lack node:sqlite, and crashes on Node 20.
    if (version.split('.')[0] !== PACKAGE_MAJOR) throw new Error(`version ${version} is installed`);
    const Database = require('better-sqlite3') as new (file: string) => RawDatabase;
    // Its native part loads with the first database, so this is where an unbuilt one shows.
    new Database(':memory:').close();
    return { open: (file) => new Database(file), version };
  } catch (cause) {
    throw missingDependency(
      'better-sqlite3',
      `the result cache on Node ${process.versions.node}, which has no node:sqlite,`,
      `better-sqlite3@${PACKAGE_MAJOR}`,
      cause,
    );
  }
}
