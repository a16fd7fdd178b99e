// What the tests of the disk cache share: a folder of their own, a look behind it, chance that repeats.
import { lstatSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TemporaryFolder extends Disposable {
  readonly path: string;
}

export function temporaryFolder(): TemporaryFolder {
  const path = mkdtempSync(join(tmpdir(), 'spillway-cache-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** Lengths of all files in a cache folder; those of objects in whole blocks, which is how they are charged. */
export function bytesIn(folder: string): number {
  let bytes = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    try {
      const { size } = lstatSync(join(entry.parentPath, entry.name));
      bytes += entry.parentPath === folder ? size : Math.ceil(size / 4096) * 4096;
    } catch {
      // Removed by another process since it was listed.
    }
  }
  return bytes;
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

/** A connection that is not the cache's, to look at or to damage its database. */
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
