// Memory groups of the kernel: real limits, real kills. Versions 1 and 2 of the controller; root only.
import { spawn } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * @typedef {object} Controller where a version keeps what
 * @property {string} root
 * @property {string} limit
 * @property {string} usage
 * @property {string} peak
 * @property {string} inactive the line of `memory.stat` that counts reclaimable page cache
 * @property {{ file: string, line: string }} kills
 * @property {string} swap the limit of swap, which not every kernel has
 * @property {boolean} swapIsBeside whether that is of swap alone, or of memory and swap together
 * @property {string} unlimited
 */

/** @type {Readonly<Record<1 | 2, Controller>>} */
const CONTROLLERS = {
  1: {
    root: '/sys/fs/cgroup/memory',
    limit: 'memory.limit_in_bytes',
    usage: 'memory.usage_in_bytes',
    peak: 'memory.max_usage_in_bytes',
    inactive: 'total_inactive_file',
    kills: { file: 'memory.oom_control', line: 'oom_kill' },
    swap: 'memory.memsw.limit_in_bytes',
    swapIsBeside: false,
    unlimited: '-1',
  },
  2: {
    root: '/sys/fs/cgroup',
    limit: 'memory.max',
    usage: 'memory.current',
    peak: 'memory.peak',
    inactive: 'inactive_file',
    kills: { file: 'memory.events', line: 'oom_kill' },
    swap: 'memory.swap.max',
    swapIsBeside: true,
    unlimited: 'max',
  },
};
const PREFIX = 'spillway-bench';
const GONE_MS = 5000;

/** Why no group can be made here; undefined where one can. @returns {string | undefined} */
export function whyNoGroups() {
  if (process.platform !== 'linux') return `memory groups are Linux's, this is ${process.platform}`;
  const version = versionHere();
  if (version === undefined) return 'the kernel has no memory controller at /sys/fs/cgroup';
  if (process.getuid?.() !== 0) return 'only root may make memory groups';
  const { root } = CONTROLLERS[version];
  try {
    accessSync(root, constants.W_OK);
    return undefined;
  } catch (error) {
    return `${root} cannot be written to: ${/** @type {NodeJS.ErrnoException} */ (error).code}`;
  }
}

/** @returns {1 | 2 | undefined} */
function versionHere() {
  if (existsSync(path.join(CONTROLLERS[1].root, CONTROLLERS[1].limit))) return 1;
  const controllers = path.join(CONTROLLERS[2].root, 'cgroup.controllers');
  return existsSync(controllers) && readFileSync(controllers, 'utf8').split(/\s+/).includes('memory')
    ? 2
    : undefined;
}

/** A memory group below the root; close it when done. */
export class MemoryGroup {
  /** @type {string} */
  folder;
  #controller;
  #hasSwap;

  /** @param {string} name for people @param {number} limitBytes */
  constructor(name, limitBytes) {
    const version = versionHere();
    if (version === undefined) throw new Error('expected a memory controller; whyNoGroups() tells');
    this.#controller = CONTROLLERS[version];
    const { root, swap } = this.#controller;
    removeForgotten(root);
    // Below a group of version 2 a controller works where its parent says so.
    if (version === 2) writeFileSync(path.join(root, 'cgroup.subtree_control'), '+memory');
    this.folder = path.join(root, `${PREFIX}-${process.pid}-${serial++}-${name}`);
    mkdirSync(this.folder);
    this.#hasSwap = existsSync(path.join(this.folder, swap));
    this.setLimit(limitBytes);
  }

  /** Files for who reads them often. */
  get files() {
    const { usage, inactive, limit } = this.#controller;
    return {
      usage: path.join(this.folder, usage),
      stat: path.join(this.folder, 'memory.stat'),
      inactive,
      limit: path.join(this.folder, limit),
    };
  }

  /** Of memory, and none of swap: what does not fit is killed. @param {number} bytes `Infinity` lifts it */
  setLimit(bytes) {
    const { limit, swap, unlimited, swapIsBeside } = this.#controller;
    const text = bytes === Number.POSITIVE_INFINITY ? unlimited : String(bytes);
    /** @type {[string, string][]} */
    const writes = [[limit, text]];
    if (this.#hasSwap) writes.push([swap, swapIsBeside ? '0' : text]);
    // Version 1 limits memory and swap together, never below memory alone: what grows grows from above.
    if (bytes > this.limit) writes.reverse();
    for (const [file, value] of writes) writeFileSync(path.join(this.folder, file), value);
  }

  get limit() {
    return this.#number(this.#controller.limit);
  }

  /** Bytes charged, page cache included. */
  get usage() {
    return this.#number(this.#controller.usage);
  }

  /** The most bytes charged at once, page cache included. */
  get peak() {
    return this.#number(this.#controller.peak);
  }

  /** Bytes charged that the kernel cannot simply drop. */
  get workingSet() {
    return Math.max(0, this.usage - this.#line('memory.stat', this.#controller.inactive));
  }

  /** Processes of this group that the kernel has killed for want of memory. */
  get kills() {
    return this.#line(this.#controller.kills.file, this.#controller.kills.line);
  }

  /**
   * Starts a program that is a member from its first instruction on: a shell enters the group and becomes it.
   * @param {string} command @param {readonly string[]} args @param {import('node:child_process').SpawnOptions} [options]
   */
  spawn(command, args, options = {}) {
    const enter = 'echo $$ > "$0" && exec "$@"';
    return spawn('/bin/sh', ['-c', enter, path.join(this.folder, 'cgroup.procs'), command, ...args], options);
  }

  /** Ends whoever is left and removes the group. */
  async close() {
    const end = performance.now() + GONE_MS;
    for (;;) {
      for (const pid of this.#members()) killIfThere(pid);
      try {
        return rmdirSync(this.folder);
      } catch (error) {
        const { code } = /** @type {NodeJS.ErrnoException} */ (error);
        if (code === 'ENOENT') return;
        if (code !== 'EBUSY' || performance.now() > end) throw error;
      }
      await sleep(20);
    }
  }

  #members() {
    return readFileSync(path.join(this.folder, 'cgroup.procs'), 'utf8')
      .split('\n')
      .filter(Boolean)
      .map(Number);
  }

  /** @param {string} file */
  #number(file) {
    const text = readFileSync(path.join(this.folder, file), 'utf8').trim();
    return text === 'max' ? Number.POSITIVE_INFINITY : Number(text);
  }

  /** @param {string} file @param {string} line */
  #line(file, line) {
    const text = readFileSync(path.join(this.folder, file), 'utf8');
    const value = new RegExp(`^${line} (\\d+)`, 'm').exec(text)?.[1];
    if (value === undefined) throw new Error(`expected ${path.join(this.folder, file)} to say ${line}`);
    return Number(value);
  }
}

let serial = 0;

/** Groups of benches that did not live to remove them. @param {string} root */
function removeForgotten(root) {
  for (const name of readdirSync(root)) {
    const pid = new RegExp(`^${PREFIX}-(\\d+)-`).exec(name)?.[1];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    const folder = path.join(root, name);
    try {
      if (readFileSync(path.join(folder, 'cgroup.procs'), 'utf8') === '') rmdirSync(folder);
    } catch (error) {
      // Another bench was faster.
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ENOENT') throw error;
    }
  }
}

/** @param {number} pid */
function killIfThere(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ESRCH') throw error;
  }
}
