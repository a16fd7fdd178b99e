// Folders that stand for /proc and /sys/fs/cgroup, whose files can be changed while they are watched.
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { GovernorPlan } from '../../src/contract/index.js';

export const MB = 1e6;

export class PressureFixture implements Disposable {
  readonly #base = mkdtempSync(path.join(os.tmpdir(), 'spillway-pressure-'));
  readonly proc = path.join(this.#base, 'proc');
  readonly cgroup = path.join(this.#base, 'cgroup');

  /** `files`: by path below the fixture, `proc/…` and `cgroup/…`. */
  constructor(files: Readonly<Record<string, string | number>> = {}) {
    mkdirSync(this.proc, { recursive: true });
    mkdirSync(this.cgroup, { recursive: true });
    for (const [name, content] of Object.entries(files)) this.write(name, content);
  }

  /** One group of version 1 with this limit, and nothing else. */
  static group(limitBytes: number, usageBytes: number): PressureFixture {
    return new PressureFixture({
      'proc/self/cgroup': '4:cpu:/\n9:memory:/job\n',
      'cgroup/memory/job/memory.limit_in_bytes': limitBytes,
      'cgroup/memory/job/memory.usage_in_bytes': usageBytes,
      'cgroup/memory/job/memory.stat': 'total_inactive_file 0\n',
    });
  }

  plan(plan: Partial<GovernorPlan> = {}): GovernorPlan {
    return {
      residentBytes: Number.POSITIVE_INFINITY,
      limitShare: 1,
      proc: this.proc,
      cgroup: this.cgroup,
      ...plan,
    };
  }

  path(name: string): string {
    return path.join(this.#base, name);
  }

  /** Changes a file in place, in one write, as the kernel's change: whoever reads never finds it empty. */
  write(name: string, content: string | number): void {
    const file = this.path(name);
    mkdirSync(path.dirname(file), { recursive: true });
    const text = String(content).padEnd(64, '\n');
    const descriptor = openSync(file, existsSync(file) ? 'r+' : 'w');
    writeSync(descriptor, text, 0);
    closeSync(descriptor);
  }

  use(bytes: number): void {
    this.write('cgroup/memory/job/memory.usage_in_bytes', bytes);
  }

  limit(bytes: number): void {
    this.write('cgroup/memory/job/memory.limit_in_bytes', bytes);
  }

  remove(name: string): void {
    rmSync(this.path(name), { recursive: true });
  }

  [Symbol.dispose](): void {
    rmSync(this.#base, { recursive: true, force: true });
  }
}
