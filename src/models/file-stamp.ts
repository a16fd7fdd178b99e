// Whether a file is still the one that was read, without reading it again.
import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { SpillwayError } from '../util/errors.js';

/** A file as it was at one moment. */
export interface FileStamp {
  readonly file: string;
  /** Where it lies, its size and its times. */
  readonly identity: string;
  /** Whether a later change would show: not while it is so young that the next one may have the same time. */
  readonly trusted: boolean;
}

/** A file this young may change again within the granularity of its timestamps. */
const TRUSTED_AGE_NS = 2_000_000_000n;

/** Opens a file for reading; one that is a pipe does not wait for a writer. */
export function openFile(file: string): Promise<FileHandle> {
  return open(file, constants.O_RDONLY | constants.O_NONBLOCK);
}

/** The stamp of an open file that is known by the name `file`. Rejects with `ERR_NOT_A_FILE`. */
export async function stampOf(
  handle: FileHandle,
  file: string,
): Promise<FileStamp & { readonly size: number }> {
  const stat = await handle.stat({ bigint: true });
  if (!stat.isFile())
    throw new SpillwayError('ERR_NOT_A_FILE', `expected a file for the model but ${file} is none`);
  return { ...stampFrom(stat, file), size: Number(stat.size) };
}

export function stampFrom(stat: BigIntStats, file: string): FileStamp {
  const { dev, ino, size, mtimeNs, ctimeNs } = stat;
  return {
    file,
    identity: [dev, ino, size, mtimeNs, ctimeNs].join(':'),
    trusted: BigInt(Date.now()) * 1_000_000n - mtimeNs > TRUSTED_AGE_NS,
  };
}

/** Rejects with `ERR_FILE_CHANGED` where the open file is not what `before` says. */
export async function assertUnchanged(handle: FileHandle, before: FileStamp): Promise<void> {
  const after = stampFrom(await handle.stat({ bigint: true }), before.file);
  if (after.identity !== before.identity)
    throw new SpillwayError('ERR_FILE_CHANGED', `${before.file} changed while it was read`);
}

/** Whether all of them are what they were; false where one cannot be found, which reading it again explains. */
export async function areUnchanged(stamps: readonly FileStamp[]): Promise<boolean> {
  const same = await Promise.all(stamps.map((stamp) => isUnchanged(stamp).catch(() => false)));
  return same.every(Boolean);
}

/** One call, not three: this is most of what sharing a loaded graph costs. */
async function isUnchanged({ file, identity }: FileStamp): Promise<boolean> {
  return stampFrom(await stat(file, { bigint: true }), file).identity === identity;
}
