// The folder of a disk cache: ours alone, because whoever can write it can forge what is in it.
import { type BigIntStats, constants } from 'node:fs';
import { access, lstat, mkdir, open, statfs } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { codeOf, invalidArgument, SpillwayError } from '../util/errors.js';

export interface CacheFolder {
  /** Absolute. */
  readonly path: string;
  /** Device and inode, so that a scan can leave the folder out by what it is rather than by its name. */
  readonly dev: bigint;
  readonly ino: bigint;
  /** The database inside it, `0600`. */
  readonly databaseFile: string;
}

const DATABASE = 'cache.sqlite';
const WRITABLE_BY_OTHERS = constants.S_IWGRP | constants.S_IWOTH;

/**
 * Opens the cache folder, creating it (`0700`) where it is missing. The last component must be a folder rather
 * than a link to one, owned by this user, with no right to write for anybody else: otherwise
 * `ERR_CACHE_UNSAFE`. The rights of the folders above it are the caller's concern. System errors keep theirs.
 * Without `create` nothing is made, and a folder that is no cache is `ERR_INVALID_ARGUMENT`.
 */
export async function openCacheFolder(folder: string, create = true): Promise<CacheFolder> {
  const path = resolve(folder);
  if (create) await makeFolder(path);
  const stat = await judgeFolder(path);
  const databaseFile = join(path, DATABASE);
  if (create) await makeDatabaseFile(databaseFile);
  await checkDatabaseFile(databaseFile, path);
  return { path, dev: stat.dev, ino: stat.ino, databaseFile };
}

/**
 * Whether a cache folder could be opened, without making or changing anything: rejects like
 * {@link openCacheFolder}. `exists` is false where it would be made; `freeBytes` is what its disk has left.
 */
export async function inspectCacheFolder(
  folder: string,
): Promise<{ readonly path: string; readonly exists: boolean; readonly freeBytes: number }> {
  const path = resolve(folder);
  const nearest = await nearestExisting(path);
  if (nearest === path) await judgeFolder(path);
  await access(nearest, constants.W_OK | constants.X_OK);
  const { bavail, bsize } = await statfs(nearest);
  return { path, exists: nearest === path, freeBytes: bavail * bsize };
}

async function nearestExisting(path: string): Promise<string> {
  try {
    await lstat(path);
    return path;
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    return nearestExisting(dirname(path));
  }
}

async function judgeFolder(path: string): Promise<BigIntStats> {
  const stat = await lstat(path, { bigint: true });
  if (stat.isSymbolicLink()) throw unsafe(path, 'is a symbolic link, which is not followed here');
  if (!stat.isDirectory()) throw unsafe(path, 'is not a folder');
  checkOwner(path, Number(stat.uid), Number(stat.mode));
  return stat;
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    // What stands there already is judged below, whatever it is (a dangling link among others).
    if (codeOf(error) !== 'EEXIST' && codeOf(error) !== 'ENOENT') throw error;
    await lstat(path);
  }
}

function checkOwner(path: string, owner: number, mode: number): void {
  const user = process.geteuid?.();
  if (user === undefined) return; // Windows: rights are access lists, which mode bits do not show.
  if (owner !== user) throw unsafe(path, `belongs to user ${owner}, and this process runs as user ${user}`);
  if (mode & WRITABLE_BY_OTHERS)
    throw unsafe(path, `can be written by others (mode ${(mode & 0o7777).toString(8)}); chmod 700 mends it`);
}

/**
 * SQLite would create the file by the umask; the files it puts beside it take their mode from this one. An
 * existing file is not opened: closing it would drop the locks of every connection this process has to it
 * (https://www.sqlite.org/howtocorrupt.html, 2.2).
 */
async function makeDatabaseFile(file: string): Promise<void> {
  try {
    await (await open(file, 'wx', 0o600)).close();
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
}

async function checkDatabaseFile(file: string, folder: string): Promise<void> {
  const stat = await lstat(file).catch((error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw error;
    throw invalidArgument('dir', `the folder of a disk cache, with ${DATABASE} in it,`, folder);
  });
  if (!stat.isFile()) throw unsafe(file, 'is not a regular file');
}

function unsafe(path: string, why: string): SpillwayError {
  return new SpillwayError(
    'ERR_CACHE_UNSAFE',
    `expected the cache to be a folder of this user's own, but ${path} ${why}`,
  );
}
