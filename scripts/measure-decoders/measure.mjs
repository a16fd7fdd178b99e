// Measures what decoding an image costs, in a fresh child process each time and, where root may make one, in a memory
// cgroup of its own (version 1).

import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

/**
 * Bytes beyond what was there before: of the resident set, and charged to the cgroup where there is one.
 * @typedef {{ rss: number, charge?: number }} Growth
 * @typedef {{ width: number, height: number, fit: 'cover' | 'contain' | 'fill' }} Target
 * @typedef {{ refused: string, open: Growth }} Refusal
 * @typedef {{ format: string, width: number, height: number, channels: number, sampleBytes: number,
 *   progressive: boolean, costBytes: number, peakBytes: number, open: Growth, peak: Growth, kept: Growth }} Measurement
 * `open`: at the peak of reading the header; `peak`: of decoding; `kept`: after it, free pages given back.
 * `peakBytes`: the larger one of `peak`.
 */

/**
 * Decodes `files` all at once, `runs` times, and returns the run of the least peak: what V8 happens to do meanwhile
 * (a collection touches up to 4 MB) only adds to it, and is not the decoder's. Linux only; needs `dist`.
 * @param {readonly string[]} files
 * @param {{ runs?: number, target?: Target | undefined }} [options] `target`: what they are decoded to
 * @returns {Promise<Measurement | Refusal>}
 */
export async function measureDecodes(files, { runs = 3, target } = {}) {
  /** @type {Measurement | undefined} */
  let least;
  for (let run = 0; run < runs; run++) {
    const measured = await measureOnce(files, target);
    if ('refused' in measured) return measured;
    measured.peakBytes = Math.max(measured.peak.rss, measured.peak.charge ?? 0);
    if (!least || measured.peakBytes < least.peakBytes) least = measured;
  }
  return /** @type {Measurement} */ (least);
}

/**
 * The same for one file that must be an image.
 * @param {string} file
 * @param {{ runs?: number, target?: Target | undefined }} [options]
 * @returns {Promise<Measurement>}
 */
export async function measureDecode(file, options) {
  const measured = await measureDecodes([file], options);
  if ('refused' in measured) throw new Error(`expected an image in ${file} but: ${measured.refused}`);
  return measured;
}

/** @param {readonly string[]} files @param {Target | undefined} target */
async function measureOnce(files, target) {
  const group = makeGroup();
  // The shell joins the group first, so that every page of the process is charged to it.
  const join = group ? `echo $$ > '${group}/cgroup.procs' && ` : '';
  const child = `${import.meta.dirname}/child.mjs`;
  const args = [
    '-c',
    `${join}exec "$0" "$@"`,
    process.execPath,
    '--expose-gc',
    '--max-semi-space-size=1',
    child,
  ];
  try {
    const { stdout } = await promisify(execFile)('/bin/sh', [
      ...args,
      JSON.stringify({ files, target, group }),
    ]);
    return JSON.parse(stdout);
  } finally {
    if (group) rmdirSync(group);
  }
}

let serial = 0;

/** A memory group below that of this process; undefined where there is no cgroup v1 or it may not be written. */
function makeGroup() {
  const line = readFileSync('/proc/self/cgroup', 'latin1').match(/^\d+:(?:.*,)?memory(?:,.*)?:(.*)$/m);
  if (!line?.[1]) return undefined;
  const group = join('/sys/fs/cgroup/memory', line[1], `measure-decoders-${process.pid}-${serial++}`);
  try {
    mkdirSync(group);
    return group;
  } catch (error) {
    const { code } = /** @type {NodeJS.ErrnoException} */ (error);
    if (code && ['EACCES', 'EPERM', 'EROFS', 'ENOENT'].includes(code)) return undefined;
    throw error;
  }
}
