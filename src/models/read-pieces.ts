import type { FileHandle } from 'node:fs/promises';
import { SpillwayError } from '../util/errors.js';

/** Read and looked at before the event loop gets its turn. */
const STEP = 1 << 20;

/**
 * Fills `target` from `position` of a file and calls `look` with each piece as it comes. Rejects with
 * `ERR_FILE_CHANGED` where the file ends before.
 */
export async function readPieces(
  handle: FileHandle,
  position: number,
  target: Uint8Array,
  look: (piece: Uint8Array) => void,
): Promise<void> {
  for (let at = 0; at < target.length; ) {
    const { bytesRead } = await handle.read(target, at, Math.min(STEP, target.length - at), position + at);
    if (bytesRead === 0)
      throw new SpillwayError('ERR_FILE_CHANGED', `the model's file became shorter while it was read`);
    look(target.subarray(at, at + bytesRead));
    at += bytesRead;
  }
}
