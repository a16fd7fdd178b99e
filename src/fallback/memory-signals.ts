// What is used, and how much is left under the limit that binds: native/memory/signals in JavaScript.
import os from 'node:os';
import path from 'node:path';
import { Cgroups, type Limit, numberAfter, readText } from './memory-cgroups.js';

/** One look at every signal, bytes. */
export interface Observation {
  readonly resident: number;
  readonly children: number;
  /** The limit under which least is left. */
  readonly nearest: Limit;
  /** The share of the tightest limit. */
  readonly limitBudget: number;
  /** The least that is left under any limit, once as much stays free as the share leaves of the tightest. */
  readonly limitHeadroom: number;
  /** Microseconds; NaN where the kernel does not tell. */
  readonly stalledUs: number;
}

const GROUPS_EVERY_MS = 1000;
const LOST_GROUPS_EVERY_MS = 100;

type Signal = 'meminfo' | 'statm' | 'psi';

export class MemorySignals {
  readonly #proc: string;
  readonly #groups: Cgroups;
  readonly #children = new Set<number>();
  readonly #lost = new Set<Signal>();
  #changes: string[] = [];
  #complete = true;
  #foundAt = performance.now();

  /** The folders stand for `/proc` and `/sys/fs/cgroup`. */
  constructor(proc: string, cgroup: string, children: Iterable<number> = []) {
    this.#proc = proc;
    this.#groups = new Cgroups(proc, cgroup);
    for (const pid of children) this.#children.add(pid);
    this.observe(1);
    this.takeChanges(); // what is missing from the start is no news: describe() tells it
  }

  get children(): Set<number> {
    return this.#children;
  }

  /** `share`: of the tightest limit, above 0 and up to 1. */
  observe(share: number): Observation {
    this.#lookForGroups();
    const resident = this.#resident();
    const children = this.#residentOfChildren();
    const limits = this.#limits(resident + children);
    const tightest = Math.min(...limits.map(({ bytes }) => bytes));
    const limitBudget = Math.floor(tightest * share);
    const left = ({ bytes, workingSet }: Limit) => bytes - workingSet;
    const nearest = limits.reduce((best, limit) => (left(limit) <= left(best) ? limit : best));
    const limitHeadroom = left(nearest) - (tightest - limitBudget);
    return { resident, children, nearest, limitBudget, limitHeadroom, stalledUs: this.#stalledUs() };
  }

  /** Every source: what is read, or why it is not. */
  describe(): string[] {
    return [this.#groups.describe(), this.#say('meminfo'), this.#say('statm'), this.#say('psi')];
  }

  /** Sentences on what was lost or came back since the last call. */
  takeChanges(): string[] {
    const changes = this.#changes;
    this.#changes = [];
    return changes;
  }

  #lookForGroups(): void {
    const now = performance.now();
    if (now - this.#foundAt < (this.#complete ? GROUPS_EVERY_MS : LOST_GROUPS_EVERY_MS)) return;
    this.#foundAt = now;
    if (!this.#groups.refresh()) return;
    this.#complete = true;
    this.#changes.push(`the memory cgroups of this process changed: ${this.#groups.describe()} from now on`);
  }

  /** Never empty: at the worst this process alone counts against the machine. */
  #limits(ownBytes: number): [Limit, ...Limit[]] {
    const machine = this.#machine();
    const { limits, complete } = this.#groups.read(machine?.bytes ?? os.totalmem());
    if (this.#complete && !complete)
      this.#changes.push(
        `a memory cgroup cannot be read any more: ${this.#groups.describe()} is looked for again`,
      );
    if (!this.#complete && complete)
      this.#changes.push(`every memory cgroup can be read again: ${this.#groups.describe()}`);
    this.#complete = complete;
    const [first, ...rest] = machine ? [...limits, machine] : limits;
    return [first ?? { bytes: os.totalmem(), workingSet: ownBytes, source: 'process' }, ...rest];
  }

  #machine(): Limit | undefined {
    const text = readText(path.join(this.#proc, 'meminfo')) ?? '';
    const total = numberAfter(text, 'MemTotal:');
    const available = numberAfter(text, 'MemAvailable:');
    if (!this.#note('meminfo', total !== undefined && available !== undefined)) return undefined;
    const [all = 0, free = 0] = [total, available];
    return { bytes: all * 1024, workingSet: Math.max(0, all - free) * 1024, source: 'machine' };
  }

  #resident(): number {
    const bytes = residentIn(readText(path.join(this.#proc, 'self/statm')));
    this.#note('statm', bytes !== undefined);
    return bytes ?? process.memoryUsage.rss();
  }

  /** A child that has ended is forgotten. */
  #residentOfChildren(): number {
    let sum = 0;
    for (const pid of this.#children) {
      const bytes = residentIn(readText(path.join(this.#proc, String(pid), 'statm')));
      if (bytes === undefined) this.#children.delete(pid);
      sum += bytes ?? 0;
    }
    return sum;
  }

  /** `some avg10=… total=123`. Of the group where that tells, else of the system. */
  #stalledUs(): number {
    const own = this.#groups.unifiedFolder;
    const text =
      (own && readText(path.join(own, 'memory.pressure'))) ??
      readText(path.join(this.#proc, 'pressure/memory'));
    const total = /^some .*total=(\d+)/m.exec(text ?? '');
    this.#note('psi', total !== null);
    return total ? Number(total[1]) : Number.NaN;
  }

  #note(signal: Signal, readable: boolean): boolean {
    if (readable === this.#lost.has(signal)) {
      if (readable) this.#lost.delete(signal);
      else this.#lost.add(signal);
      this.#changes.push(`a signal ${readable ? 'came back' : 'was lost'}: ${this.#say(signal)}`);
    }
    return readable;
  }

  #say(signal: Signal): string {
    const file = { meminfo: 'meminfo', statm: 'self/statm', psi: 'pressure/memory' }[signal];
    const instead = signal === 'statm' ? ', what Node measures stands in' : '';
    const count =
      signal === 'statm' && this.#children.size > 0 ? ` and of ${this.#children.size} children` : '';
    const refused = this.#lost.has(signal) ? `: cannot be read${instead}` : '';
    return `${signal} ${path.join(this.#proc, file)}${count}${refused}`;
  }
}

/** `size resident shared …`, in pages. */
function residentIn(text: string | undefined): number | undefined {
  const found = /^\d+ (\d+)/.exec(text ?? '');
  return found ? Number(found[1]) * pageBytes() : undefined;
}

let page: number | undefined;

/** What the kernel told this process at its start: `AT_PAGESZ` of the auxiliary vector, pairs of 64-bit words. */
function pageBytes(): number {
  if (page) return page;
  const vector = Buffer.from(readText('/proc/self/auxv') ?? '', 'latin1');
  for (let at = 0; at + 16 <= vector.length; at += 16)
    if (vector.readBigUInt64LE(at) === 6n) page = Number(vector.readBigUInt64LE(at + 8));
  page ??= 4096;
  return page;
}
