// Looks at a memory group from outside, by a C program that takes next to nothing and misses nothing.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { compile } from './native-program.mjs';

/** @typedef {{ at: number, usage: number, workingSet: number, limit: number, resident: number }} Seen bytes, and milliseconds since the epoch */

/** Watches until it is stopped. Start it once the group is there, stop it before the group is closed. */
export class Watcher {
  /** @type {Seen[]} */
  seen = [];
  #child;
  #done;

  /**
   * @param {import('./cgroup.mjs').MemoryGroup} group
   * @param {{ everyMs?: number, pid?: number }} [options] 10 ms unless told; `pid`: whose resident set to read beside it
   */
  constructor(group, { everyMs = 10, pid } = {}) {
    const { usage, stat, inactive, limit } = group.files;
    const args = [usage, stat, inactive, limit, String(everyMs * 1000)];
    if (pid !== undefined) args.push(`/proc/${pid}/statm`);
    this.#child = spawn(compile('watch-group'), args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = createInterface({ input: this.#child.stdout });
    lines.on('line', (line) => this.seen.push(parse(line)));
    this.#done = new Promise((resolve, reject) => {
      this.#child.on('error', reject);
      lines.on('close', resolve);
    });
  }

  /** @returns {Promise<Seen[]>} all that was seen, in order */
  async stop() {
    this.#child.stdin.end();
    await this.#done;
    return this.seen;
  }
}

/** @param {string} line @returns {Seen} */
function parse(line) {
  const [us = 0, usage = 0, inactive = 0, limit = 0, resident = 0] = line.split(' ').map(Number);
  return { at: us / 1000, usage, workingSet: Math.max(0, usage - inactive), limit, resident };
}
