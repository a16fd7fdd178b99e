// Traces of a memory group, made up, and files that tell them as the kernel would.
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import { uniform } from '../../scripts/make-model/test-graphs.mjs';

/** @typedef {{ usage: number, inactive: number, limit: number, resident: number }} Moment bytes */

const MB = 1e6;
const PAGE = 4096;
const LIMIT = 256 * MB;
/** Digits of every number, so that a write replaces it as a whole. */
const DIGITS = 16;
const MACHINE_KB = 2 ** 24;

/**
 * Ramps, steps, saw-teeth and noise of memory in use, beside page cache that comes and goes; now and then the limit
 * moves.
 * @param {number} length @param {number} seed @returns {Moment[]}
 */
export function madeUpTrace(length, seed) {
  const random = uniform(seed);
  const between = (/** @type {number} */ least, /** @type {number} */ most) =>
    least + random() * (most - least);
  const trace = [];
  let [used, goal, limit] = [0.3, 0.3, LIMIT];
  let [pace, noise, inactive] = [0.01, 0, 0.1];
  while (trace.length < length) {
    if (random() < 0.02) {
      goal = between(0.05, 0.85);
      pace = random() < 0.3 ? 1 : between(0.001, 0.05);
      noise = random() < 0.5 ? 0 : between(0, 0.03);
    }
    if (random() < 0.002) limit = Math.floor(between(0.5, 2) * LIMIT);
    inactive = Math.min(0.95 - used, Math.max(0, inactive + between(-0.05, 0.05)));
    used += Math.max(-pace, Math.min(pace, goal - used));
    const shown = Math.max(0, used + between(-noise, noise));
    trace.push({
      usage: pages((shown + inactive) * limit),
      inactive: pages(inactive * limit),
      limit: pages(limit),
      resident: pages(shown * limit * between(0.6, 1.4)),
    });
  }
  return trace;
}

/** Files in the shape of /proc and /sys/fs/cgroup that say one moment after the other. Close it when done. */
export class ToldTrace {
  proc;
  cgroup;
  /** @type {Record<keyof Moment, number>} */
  #files;

  /** @param {string} folder that nobody else uses */
  constructor(folder) {
    this.proc = path.join(folder, 'proc');
    this.cgroup = path.join(folder, 'cgroup');
    const job = path.join(this.cgroup, 'memory', 'job');
    for (const each of [path.join(this.proc, 'self'), path.join(this.proc, 'pressure'), job])
      mkdirSync(each, { recursive: true });
    writeFileSync(path.join(this.proc, 'self', 'cgroup'), '4:memory:/job\n');
    writeFileSync(
      path.join(this.proc, 'meminfo'),
      `MemTotal:       ${MACHINE_KB} kB\nMemFree:        ${MACHINE_KB} kB\nMemAvailable:   ${MACHINE_KB} kB\n`,
    );
    writeFileSync(
      path.join(this.proc, 'pressure', 'memory'),
      'some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n',
    );
    this.#files = {
      usage: openSync(path.join(job, 'memory.usage_in_bytes'), 'w'),
      inactive: openSync(path.join(job, 'memory.stat'), 'w'),
      limit: openSync(path.join(job, 'memory.limit_in_bytes'), 'w'),
      resident: openSync(path.join(this.proc, 'self', 'statm'), 'w'),
    };
    this.tell('limit', LIMIT);
    for (const name of /** @type {const} */ (['usage', 'inactive', 'resident'])) this.tell(name, 0);
  }

  /** Replaces one figure. @param {keyof Moment} name @param {number} bytes */
  tell(name, bytes) {
    const text = {
      usage: () => digits(bytes),
      limit: () => digits(bytes),
      inactive: () => `cache ${digits(0)}\ntotal_inactive_file ${digits(bytes)}`,
      resident: () => `${digits(2 * (bytes / PAGE))} ${digits(bytes / PAGE)} 0 0 0 0 0`,
    }[name]();
    writeSync(this.#files[name], `${text}\n`, 0);
  }

  close() {
    for (const fd of Object.values(this.#files)) closeSync(fd);
  }
}

/** @param {number} bytes */
const digits = (bytes) => String(bytes).padStart(DIGITS, '0');

/** @param {number} bytes */
const pages = (bytes) => Math.floor(bytes / PAGE) * PAGE;
