// Reads one file whole, and knows whether it stayed the same while it was read.
import { constants, promises as fs } from 'node:fs';
import type { FileStat } from '../contract/index.js';
import { SpillwayError } from '../util/errors.js';

/** A file's bytes and the version they belong to. The buffer is the caller's. */
export interface WholeFile {
  readonly bytes: Buffer;
  readonly stat: FileStat;
}

/**
 * Reads a regular file whole. Rejects with `ERR_NOT_A_FILE` (a FIFO is not waited for), `ERR_TOO_LARGE` beyond
 * `maxBytes`, `ERR_TRUNCATED` or `ERR_FILE_CHANGED` when somebody writes meanwhile, or the system's error.
 */
export async function readWholeFile(path: string | Buffer, maxBytes: number): Promise<WholeFile> {
  // Without O_NONBLOCK opening a FIFO hangs until somebody writes to it.
  const file = await fs.open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const before = await file.stat({ bigint: true });
    if (!before.isFile())
      throw new SpillwayError(
        'ERR_NOT_A_FILE',
        `expected a regular file but ${kindOf(before)} is at ${path}`,
      );
    const size = Number(before.size);
    if (size > maxBytes)
      throw new SpillwayError(
        'ERR_TOO_LARGE',
        `expected a file of at most ${maxBytes} bytes but it has ${size}`,
      );
    const bytes = await readExactly(file, size);
    const after = await file.stat({ bigint: true });
    if (after.size !== before.size || after.mtimeNs !== before.mtimeNs || after.ctimeNs !== before.ctimeNs)
      throw new SpillwayError(
        'ERR_FILE_CHANGED',
        'expected the file to stay as it is while it is read, but it changed',
      );
    const { dev, ino, mtimeNs, ctimeNs } = before;
    return { bytes, stat: { dev, ino, size, mtimeNs, ctimeNs } };
  } finally {
    await file.close();
  }
}

async function readExactly(file: fs.FileHandle, size: number): Promise<Buffer> {
  // Not from Node's shared pool: a small slice would keep 8 KB alive, and its ArrayBuffer is not ours to hand on.
  const bytes = Buffer.allocUnsafeSlow(size);
  for (let at = 0; at < size; ) {
    const { bytesRead } = await file.read(bytes, at, size - at, at);
    if (bytesRead === 0)
      throw new SpillwayError('ERR_TRUNCATED', `expected ${size} bytes but the file ended after ${at}`);
    at += bytesRead;
  }
  return bytes;
}

function kindOf(stat: { isDirectory(): boolean; isFIFO(): boolean; isSocket(): boolean }): string {
  if (stat.isDirectory()) return 'a directory';
  if (stat.isFIFO()) return 'a FIFO';
  return stat.isSocket() ? 'a socket' : 'a device';
}
