// A regular file open for reading, and whether it is still the version that was opened: native/read/file in
// JavaScript.
import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, open, stat, statfs } from 'node:fs/promises';
import type { FileStat } from '../contract/index.js';
import { codeOf, SpillwayError } from '../util/errors.js';

/** procfs, sysfs, cgroup v1 and v2, debugfs, tracefs, securityfs: linux/magic.h. */
const MADE_UP = new Set([0x9fa0, 0x62656572, 0x27e0eb, 0x63677270, 0x64626720, 0x74726163, 0x73636673]);
/** Windows has no such flag, and no FIFO to wait for. */
const FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);

export class ReaderFile {
  readonly version: FileStat;
  /** The file system makes the content up on reading: the size says nothing, and there is no version. */
  readonly madeUp: boolean;
  readonly #handle: FileHandle;

  private constructor(handle: FileHandle, found: BigIntStats, madeUp: boolean) {
    this.#handle = handle;
    this.version = versionOf(found);
    this.madeUp = madeUp;
  }

  /** Rejects with `ERR_NOT_A_FILE` for anything but a regular file. */
  static async open(path: Buffer): Promise<ReaderFile> {
    const handle = await openRaw(path);
    try {
      const found = await handle.stat({ bigint: true });
      if (!found.isFile()) throw notAFile(found, path);
      // Windows reports no blocks at all.
      const suspect = process.platform === 'linux' && found.blocks === 0n && found.size <= 65_536n;
      return new ReaderFile(handle, found, suspect && MADE_UP.has((await statfs(path)).type));
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Reads until `into` is full or the file ends; returns the number of bytes. */
  async read(into: Uint8Array, offset: number): Promise<number> {
    let got = 0;
    while (got < into.length) {
      const { bytesRead } = await this.#handle.read(into, got, into.length - got, offset + got);
      if (bytesRead === 0) break;
      got += bytesRead;
    }
    return got;
  }

  /** Reads what the size promised; rejects with `ERR_TRUNCATED` where the file ends earlier. */
  async readAll(into: Uint8Array, offset: number): Promise<void> {
    const got = await this.read(into, offset);
    if (got < into.length)
      throw new SpillwayError(
        'ERR_TRUNCATED',
        `expected ${this.version.size} bytes but the file ended after ${offset + got}`,
      );
  }

  /** Rejects with `ERR_FILE_CHANGED` where size or times are no longer what they were. */
  async checkUnchanged(): Promise<void> {
    if (this.madeUp) return;
    const now = versionOf(await this.#handle.stat({ bigint: true }));
    const { size, mtimeNs, ctimeNs } = this.version;
    if (now.size !== size || now.mtimeNs !== mtimeNs || now.ctimeNs !== ctimeNs)
      throw new SpillwayError(
        'ERR_FILE_CHANGED',
        'expected the file to stay as it is while it is read, but it changed',
      );
  }

  /** Waits for a read in progress. */
  close(): Promise<void> {
    return this.#handle.close();
  }
}

async function openRaw(path: Buffer): Promise<FileHandle> {
  try {
    return await open(path, FLAGS);
  } catch (error) {
    // A socket cannot be opened, nor can a device without its driver.
    if (codeOf(error) === 'ENXIO' || codeOf(error) === 'ENODEV') {
      const found = await stat(path, { bigint: true });
      if (!found.isFile()) throw notAFile(found, path);
    }
    throw error;
  }
}

function versionOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): FileStat {
  return { dev, ino, size: Number(size), mtimeNs, ctimeNs };
}

function notAFile(found: BigIntStats, path: Buffer): SpillwayError {
  const kind = found.isDirectory()
    ? 'a directory'
    : found.isFIFO()
      ? 'a FIFO'
      : found.isSocket()
        ? 'a socket'
        : 'a device';
  return new SpillwayError('ERR_NOT_A_FILE', `expected a regular file but ${kind} is at '${path}'`);
}
