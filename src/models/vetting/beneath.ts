// Opens a file below a folder, and nowhere else: no link on the way, no other name, a plain file.
import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import path from 'node:path';
import { codeOf } from '../../util/errors.js';
import { rejected } from './rejection.js';

const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** Without O_NONBLOCK opening a FIFO hangs until somebody writes to it. */
const FILE = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

export interface FileBeneath {
  readonly handle: FileHandle;
  readonly stat: BigIntStats;
}

/**
 * Opens `location`, a relative path without `..`, one component after another. The descriptor that is returned is the
 * one that was checked: read from it, and close it. Rejects with `ERR_MODEL_REJECTED`, beginning with `where`.
 */
export async function openBeneath(folder: string, location: string, where: string): Promise<FileBeneath> {
  const name = JSON.stringify(location);
  const handle = await descend(folder, location.split('/')).catch((cause: unknown) => {
    throw rejected(where, `external data at ${name} ${reasonOf(cause)}`, { cause });
  });
  try {
    const stat = await handle.stat({ bigint: true });
    if (!stat.isFile()) throw rejected(where, `external data at ${name} is no plain file`);
    if (stat.nlink > 1n)
      throw rejected(
        where,
        `external data at ${name} has ${stat.nlink} names: a hard link may lead out of the folder`,
      );
    return { handle, stat };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function descend(folder: string, parts: readonly string[]): Promise<FileHandle> {
  let at = folder;
  let parent = await open(folder, FOLDER);
  for (const [index, part] of parts.entries()) {
    // Beneath the descriptor, which nobody can exchange, rather than beneath its path, where the system has that.
    at = process.platform === 'linux' ? `/proc/self/fd/${parent.fd}/${part}` : path.join(at, part);
    const next = open(at, index < parts.length - 1 ? FOLDER : FILE);
    await next.finally(() => parent.close());
    parent = await next;
  }
  return parent;
}

function reasonOf(error: unknown): string {
  const code = codeOf(error);
  if (code === 'ENOENT') return 'is not there';
  if (code === 'ELOOP' || code === 'ENOTDIR') return 'is behind a link, or below what is no folder';
  return `cannot be opened (${code})`;
}
