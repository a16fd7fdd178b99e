// What the tests of the result store share: a folder of their own, files as a scan would describe them.
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StatIdentity } from '../../src/results/identity.js';

export interface TemporaryFolder extends Disposable {
  readonly path: string;
}

export function temporaryFolder(): TemporaryFolder {
  const path = mkdtempSync(join(tmpdir(), 'spillway-results-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** A moment long enough ago for every file below to be trusted by stat. */
export const LONG_AFTER_MS = 1_800_000_000_000;
const CHANGED_NS = 1_700_000_000_123_456_789n;

/** A file that differs from all others by its inode, and was last changed long before {@link LONG_AFTER_MS}. */
export function fileOf(inode: number): StatIdentity {
  return { dev: 66n, ino: BigInt(inode), size: 1000 + inode, mtimeNs: CHANGED_NS, ctimeNs: CHANGED_NS };
}

/** The files below a folder that this process has open (Linux). */
export function openFilesIn(folder: string): string[] {
  const targets = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return ''; // The descriptor that listed the folder is closed by now.
    }
  });
  return targets.filter((target) => target.startsWith(folder));
}

interface SecondConnection {
  exec(sql: string): unknown;
  prepare(sql: string): { run(...values: unknown[]): unknown; get(...values: unknown[]): unknown };
  close(): void;
}

/** A connection that is not the store's, to look at or to damage its database. */
export function connect(file: string): SecondConnection {
  const builtin = process.getBuiltinModule('node:sqlite') as
    | { DatabaseSync: new (file: string) => SecondConnection }
    | undefined;
  if (builtin) return new builtin.DatabaseSync(file);
  const Database = createRequire(import.meta.url)('better-sqlite3') as new (file: string) => SecondConnection;
  return new Database(file);
}

/** A generator of numbers in [0, 1) that a seed repeats (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
