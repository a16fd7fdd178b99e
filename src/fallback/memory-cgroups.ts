// The memory cgroups of this process, from its own up to the root, version 1 and 2: native/memory/signals/cgroup
// in JavaScript.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** A limit on memory and what is used under it, bytes. */
export interface Limit {
  readonly bytes: number;
  /** Page cache that can be reclaimed at once left out. */
  readonly workingSet: number;
  readonly source: string;
}

interface Group {
  readonly folder: string;
  readonly unified: boolean;
  /** Nothing above it can be read, though something may be there. */
  readonly topmost: boolean;
}

/** The text of a small file of the kernel; undefined where it cannot be read. */
export function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return undefined; // no such controller, or a group that has gone: the caller reports it and asks the next source
  }
}

/** The number behind `name` at the beginning of a line. */
export function numberAfter(text: string, name: string): number | undefined {
  const found = new RegExp(`^${name}\\s*(\\d+)`, 'm').exec(text);
  return found ? Number(found[1]) : undefined;
}

/** Reads all limits on the way up again each time: they can be changed while we run. */
export class Cgroups {
  readonly #proc: string;
  readonly #root: string;
  #membership: string | undefined;
  #groups: readonly Group[] = [];

  constructor(proc: string, root: string) {
    this.#proc = proc;
    this.#root = root;
    this.refresh();
  }

  /** Limits below `machineBytes`, the process's own group first; `complete` is false where one cannot be read. */
  read(machineBytes: number): { readonly limits: Limit[]; readonly complete: boolean } {
    const limits: Limit[] = [];
    let complete = true;
    for (const group of this.#groups) {
      const bytes = limitOf(group);
      if (bytes !== undefined && bytes >= machineBytes) continue;
      const { folder, unified } = group;
      const usage = numberIn(path.join(folder, unified ? 'memory.current' : 'memory.usage_in_bytes'));
      complete &&= bytes !== undefined && usage !== undefined;
      if (bytes === undefined || usage === undefined) continue;
      const stat = readText(path.join(folder, 'memory.stat')) ?? '';
      const workingSet = Math.max(0, usage - droppableIn(stat, unified));
      limits.push({ bytes, workingSet, source: folder });
    }
    return { limits, complete };
  }

  /** Looks again which groups there are; true where they changed. */
  refresh(): boolean {
    const before = this.describe();
    this.#membership = readText(path.join(this.#proc, 'self/cgroup'));
    this.#groups = (this.#membership ?? '').split('\n').flatMap((line) => this.#climb(line));
    return this.describe() !== before;
  }

  describe(): string {
    if (this.#groups.length > 0)
      return this.#groups.map(({ folder, unified }) => `cgroup v${unified ? 2 : 1} ${folder}`).join(', ');
    const unreadable = `: ${path.join(this.#proc, 'self/cgroup')} cannot be read`;
    return `no memory cgroup${this.#membership === undefined ? unreadable : ''}`;
  }

  /** The process's own group where that is of version 2, which has pressure figures. */
  get unifiedFolder(): string | undefined {
    return this.#groups.find(({ unified }) => unified)?.folder;
  }

  /** A line is `hierarchy:controllers:path`; version 2 names no controllers. */
  #climb(line: string): Group[] {
    const [, controllers, ...rest] = line.split(':');
    const unified = controllers === '';
    if (!unified && !controllers?.split(',').includes('memory')) return [];
    const top = unified ? this.#root : path.join(this.#root, 'memory');
    const groups: Group[] = [];
    // Inside a container the path may be that of the host: what is mounted is found further up.
    for (let inside = rest.join(':'); ; inside = path.posix.dirname(inside)) {
      const folder = path.join(top, inside === '/' ? '' : inside);
      // The root of version 1, which alone has this file, can have no limit: nothing is above what has been found.
      if (folder === top && existsSync(path.join(top, 'cgroup.sane_behavior'))) return groups;
      if (readText(path.join(folder, unified ? 'memory.max' : 'memory.limit_in_bytes')) !== undefined)
        groups.push({ folder, unified, topmost: false });
      if (inside === '/' || inside === '.' || inside === '') break;
    }
    return groups.map((group, i) => ({ ...group, topmost: i === groups.length - 1 }));
  }
}

/**
 * Page cache that the kernel drops before it kills anybody: the inactive one, and of the active one what is neither
 * mapped nor waits to be written.
 */
function droppableIn(stat: string, unified: boolean): number {
  const bytes = (version1: string, version2: string) =>
    numberAfter(stat, unified ? version2 : `total_${version1}`) ?? 0;
  const active =
    bytes('active_file', 'active_file') -
    bytes('mapped_file', 'file_mapped') -
    bytes('dirty', 'file_dirty') -
    bytes('writeback', 'file_writeback');
  return bytes('inactive_file', 'inactive_file') + Math.max(0, active);
}

function limitOf({ folder, unified, topmost }: Group): number | undefined {
  const limit = numberIn(path.join(folder, unified ? 'memory.max' : 'memory.limit_in_bytes'));
  if (limit === undefined) return undefined;
  // memory.high does not kill, but whoever is above it is stalled for good.
  if (unified) return Math.min(limit, numberIn(path.join(folder, 'memory.high')) ?? limit);
  if (!topmost) return limit;
  // The groups above are not mounted here, but version 1 tells the least of their limits.
  const stat = readText(path.join(folder, 'memory.stat')) ?? '';
  return Math.min(limit, numberAfter(stat, 'hierarchical_memory_limit') ?? limit);
}

function numberIn(file: string): number | undefined {
  const text = readText(file)?.trim();
  if (text === 'max') return Number.POSITIVE_INFINITY;
  return text && /^\d+$/.test(text) ? Number(text) : undefined;
}
