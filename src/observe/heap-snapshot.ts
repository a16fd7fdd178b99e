// Writes what V8's heap holds to a file, for a person with Chrome's or VS Code's memory tools.
import { open, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import v8 from 'node:v8';
import { invalidArgument } from '../util/errors.js';

/**
 * Writes a heap snapshot to `file` (by custom `*.heapsnapshot`) and resolves with its bytes.
 *
 * Taking it stops the JavaScript thread, seconds for a heap of gigabytes, and needs about as much memory again as
 * the heap holds, outside of any budget: do not ask for one when memory is short. It contains every string of the
 * program, secrets included, so the file is its owner's alone (mode 0600). A file that exists is never
 * overwritten: rejects with `EEXIST`, before the snapshot is taken; other system errors keep their code as well. Of
 * a snapshot that could not be written to its end nothing stays.
 */
export async function writeHeapSnapshot(file: string): Promise<number> {
  if (typeof file !== 'string' || file === '') throw invalidArgument('file', 'a path', file);
  const handle = await open(file, 'wx', 0o600);
  try {
    const target = handle.createWriteStream();
    await pipeline(v8.getHeapSnapshot(), target);
    return target.bytesWritten;
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  }
}
