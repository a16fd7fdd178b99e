// Measures what decoding an image costs, in a fresh child process each time.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

/**
 * @typedef {{ format: string, width: number, height: number, channels: number, sampleBytes: number,
 *   progressive: boolean, costBytes: number, peakBytes: number }} Measurement
 */

/**
 * Peak growth of the resident set while `file` is decoded, the least of `runs`: what V8 happens to do meanwhile
 * (a collection touches up to 4 MB) only adds to it, and is not the decoder's. Linux only; needs `dist`.
 * @param {string} file
 * @param {number} [runs]
 * @param {{ width: number, height: number, fit: 'cover' | 'contain' | 'fill' }} [target] what it is decoded to
 * @returns {Promise<Measurement>}
 */
export async function measureDecode(file, runs = 3, target = undefined) {
  const child = join(import.meta.dirname, 'child.mjs');
  /** @type {Measurement | undefined} */
  let least;
  for (let run = 0; run < runs; run++) {
    const { stdout } = await promisify(execFile)(process.execPath, [
      child,
      file,
      ...(target ? [JSON.stringify(target)] : []),
    ]);
    /** @type {Measurement} */
    const measured = JSON.parse(stdout);
    if (!least || measured.peakBytes < least.peakBytes) least = measured;
  }
  return /** @type {Measurement} */ (least);
}
