// A model with data in other files becomes one that is complete in itself.
import { createHash } from 'node:crypto';
import path from 'node:path';
import { assertUnchanged, type FileStamp, stampFrom } from '../file-stamp.js';
import { readPieces } from '../read-pieces.js';
import { openBeneath } from './beneath.js';
import { rejected } from './rejection.js';
import type { Gap } from './splice.js';

/** What was read of other files. */
export interface ExternalData {
  /** Of all that was read. */
  readonly sha256: string;
  readonly stamps: readonly FileStamp[];
}

/**
 * Reads the data of external tensors into the gaps that are left for it in `target`, each file opened once below
 * `folder`. Rejects with `ERR_MODEL_REJECTED` for a file that may not be read or is too short, and with
 * `ERR_FILE_CHANGED`.
 */
export async function readExternal(
  folder: string,
  gaps: readonly Gap[],
  target: Uint8Array,
): Promise<ExternalData> {
  const hash = createHash('sha256');
  const stamps: FileStamp[] = [];
  for (const [location, inFile] of byLocation(gaps)) {
    const first = (inFile[0] as Gap).tensor.where;
    const { handle, stat } = await openBeneath(folder, location, first);
    try {
      const stamp = stampFrom(stat, path.join(folder, location));
      for (const { tensor, at } of inFile) {
        const { offset, bytes, where } = tensor;
        if (offset + bytes > Number(stat.size))
          throw rejected(
            where,
            `expected ${bytes} bytes from ${offset} of ${JSON.stringify(location)}, which has ${stat.size}`,
          );
        await readPieces(handle, offset, target.subarray(at, at + bytes), (piece) => hash.update(piece));
      }
      await assertUnchanged(handle, stamp);
      stamps.push(stamp);
    } finally {
      await handle.close();
    }
  }
  return { sha256: hash.digest('hex'), stamps };
}

function byLocation(gaps: readonly Gap[]): Map<string, Gap[]> {
  const files = new Map<string, Gap[]>();
  for (const gap of gaps) {
    const inFile = files.get(gap.tensor.location);
    if (inFile) inFile.push(gap);
    else files.set(gap.tensor.location, [gap]);
  }
  return files;
}
