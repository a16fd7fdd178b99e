// Measures what decoding an image costs, in a fresh child process each time.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

/**
 * @typedef {{ format: string, width: number, height: number, channels: number, sampleBytes: number,
 *   progressive: boolean, costBytes: number, peakBytes: number }} Measurement
 */

/**
 * Peak growth of the resident set while `file` is decoded. Linux only.
 * @param {string} module the compiled `extract/image.js`
 * @param {string} file
 * @returns {Promise<Measurement>}
 */
export async function measureDecode(module, file) {
  const child = join(import.meta.dirname, 'child.mjs');
  const { stdout } = await promisify(execFile)(process.execPath, [child, module, file]);
  return JSON.parse(stdout);
}
