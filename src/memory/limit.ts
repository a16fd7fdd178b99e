// The memory limit that really binds this process: the tightest cgroup up to the root, else the machine.
import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** A limit and how much of it is used. */
export interface MemoryLimit {
  /** Bytes. */
  readonly limit: number;
  /** Where the limit comes from: a cgroup folder, or `machine`. */
  readonly source: string;
  /**
   * Bytes used under this limit, reclaimable page cache left out: `usage − inactive_file` of the cgroup, else
   * what the machine does not count as available. Node's own `availableMemory()` counts page cache as used.
   */
  workingSet(): number;
}

interface CgroupFiles {
  readonly limit: string;
  readonly usage: string;
  readonly inactive: RegExp;
}

const V1: CgroupFiles = {
  limit: 'memory.limit_in_bytes',
  usage: 'memory.usage_in_bytes',
  inactive: /^total_inactive_file (\d+)/m,
};
const V2: CgroupFiles = { limit: 'memory.max', usage: 'memory.current', inactive: /^inactive_file (\d+)/m };

/** Finds the limit; `roots` stand in for `/proc` and `/sys/fs/cgroup` in tests. */
export function findMemoryLimit(roots = { proc: '/proc', cgroup: '/sys/fs/cgroup' }): MemoryLimit {
  let best = machineLimit(roots.proc);
  for (const { folder, files } of cgroupFolders(roots)) {
    const limit = readNumber(path.join(folder, files.limit));
    if (limit === undefined || limit >= best.limit) continue;
    best = { limit, source: folder, workingSet: () => cgroupWorkingSet(folder, files) };
  }
  return best;
}

/** Every memory cgroup folder from this process's own up to the root. */
function* cgroupFolders(roots: {
  proc: string;
  cgroup: string;
}): Generator<{ folder: string; files: CgroupFiles }> {
  for (const line of (readText(path.join(roots.proc, 'self/cgroup')) ?? '').split('\n')) {
    const [, controllers, ...rest] = line.split(':');
    const v2 = controllers === '';
    if (!v2 && !controllers?.split(',').includes('memory')) continue;
    const top = v2 ? roots.cgroup : path.join(roots.cgroup, 'memory');
    for (let inside = rest.join(':'); ; inside = path.posix.dirname(inside)) {
      yield { folder: path.join(top, inside), files: v2 ? V2 : V1 };
      if (inside === '/' || inside === '.' || inside === '') break;
    }
  }
}

function cgroupWorkingSet(folder: string, files: CgroupFiles): number {
  const usage = readNumber(path.join(folder, files.usage)) ?? 0;
  const inactive = files.inactive.exec(readText(path.join(folder, 'memory.stat')) ?? '');
  return Math.max(0, usage - Number(inactive?.[1] ?? 0));
}

function machineLimit(proc: string): MemoryLimit {
  const limit = os.totalmem();
  const workingSet = (): number => {
    const available = /^MemAvailable:\s+(\d+) kB/m.exec(readText(path.join(proc, 'meminfo')) ?? '');
    return limit - (available ? Number(available[1]) * 1024 : os.freemem());
  };
  return { limit, source: 'machine', workingSet };
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return undefined; // no such controller, or a cgroup that is gone: the next source answers
  }
}

function readNumber(file: string): number | undefined {
  const text = readText(file)?.trim();
  return text && /^\d+$/.test(text) ? Number(text) : undefined;
}
