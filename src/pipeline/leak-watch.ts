// What a run tells a leak detector while it goes on, and what it hears back.
import { collectGarbage } from '../memory/garbage.js';
import type { MemorySnapshot } from '../memory/snapshot.js';

/** What was found about one account over the items of a run. */
export interface LeakVerdict {
  /** Of the ledger, or {@link PROCESS}, or {@link HEAP}. */
  readonly account: string;
  readonly leaking: boolean;
  /** Bytes that each item leaves behind, with the interval that holds the true figure 95 times out of 100. */
  readonly bytesPerItem: number;
  readonly low: number;
  readonly high: number;
  /** How many items were looked at; the first of them, when programs warm up, are left out. */
  readonly items: number;
  /** One sentence with the figures. */
  readonly reason: string;
}

/** What finds leaks; given to the run from above. */
export interface LeakWatch {
  /** `bytesOf`: bytes held, by account, after `itemsCompleted` items. Cheap, and in bounded memory. */
  observe(itemsCompleted: number, bytesOf: Readonly<Record<string, number>>): void;
  /** One verdict for each account, leaks first. Some milliseconds. */
  verdicts(): LeakVerdict[];
}

/** The names under which the process as a whole is watched, and JavaScript's heap. */
export const PROCESS = 'process';
export const HEAP = 'heap';

/** Accounts that are there to fill up: caches end at their own limit, the index of near-duplicates has an entry a photo. */
const STORAGE = /^(near-duplicates$|(adaptive-)?cache(:|$))/;
/** Short jobs are spared the first full collection, which stops the thread for as long as the heap is large. */
const FIRST_COLLECTION_MS = 5000;
/** At most that share of the time goes to collecting garbage: too little to show in the 99th percentile of delays. */
const COLLECTING_SHARE = 0.005;
/** V8 unmaps and releases what a collection freed on threads of its own, after the fact. */
const SETTLE_MS = 50;

type Figures = Pick<MemorySnapshot, 'rss' | 'accounts'>;

export interface LeakProbeOptions {
  /** Reads what is held now; asked at every look. */
  readonly snapshot: () => Figures;
  /** Of the time that may go to collecting garbage; 0.005 unless told. */
  readonly collectingShare?: number;
  /** Milliseconds before the first full collection; 5000 unless told. */
  readonly firstCollectionMs?: number;
}

/**
 * Looks at memory for a leak watch. Accounts are taken as they are. The heap and the process are looked at only after
 * a full collection, every few seconds: V8 lets old garbage lie, often from the first item to the last, and nothing
 * tells that from a leak. A job of less than a minute or two is over before there are enough of those looks.
 */
export class LeakProbe implements Disposable {
  readonly #watch: LeakWatch;
  readonly #snapshot: () => Figures;
  readonly #collectingShare: number;
  #items = 0;
  #collectAt: number;
  #settling: NodeJS.Timeout | undefined;

  constructor(
    watch: LeakWatch,
    {
      snapshot,
      collectingShare = COLLECTING_SHARE,
      firstCollectionMs = FIRST_COLLECTION_MS,
    }: LeakProbeOptions,
  ) {
    this.#watch = watch;
    this.#snapshot = snapshot;
    this.#collectingShare = collectingShare;
    this.#collectAt = performance.now() + firstCollectionMs;
  }

  /** To be called every so often, with the items completed so far. */
  look(itemsCompleted: number): void {
    this.#items = itemsCompleted;
    this.#watch.observe(itemsCompleted, accountBytes(this.#snapshot()));
    const now = performance.now();
    if (now < this.#collectAt) return;
    clearTimeout(this.#settling);
    collectGarbage();
    const collected = process.memoryUsage();
    const end = performance.now();
    this.#collectAt = end + (end - now) / this.#collectingShare;
    this.#watch.observe(itemsCompleted, { [HEAP]: collected.heapUsed });
    this.#settling = setTimeout(() => {
      this.#watch.observe(this.#items, { [PROCESS]: processBytes(this.#snapshot(), collected) });
    }, SETTLE_MS).unref();
  }

  /** Looks no more. */
  [Symbol.dispose](): void {
    clearTimeout(this.#settling);
  }
}

/** What each account holds that is not storage. */
export function accountBytes({ accounts }: Figures): Record<string, number> {
  const bytesOf: Record<string, number> = {};
  for (const [name, { bytes, reserved }] of Object.entries(accounts))
    if (!STORAGE.test(name)) bytesOf[name] = bytes + reserved;
  return bytesOf;
}

/**
 * The resident memory of the process, less what caches hold of it, what V8 keeps free, and what has become garbage or
 * may since garbage was `collected`.
 */
function processBytes({ rss, accounts }: Figures, collected: NodeJS.MemoryUsage): number {
  const { heapTotal, arrayBuffers } = process.memoryUsage();
  const stored = Object.entries(accounts)
    .filter(([name]) => STORAGE.test(name))
    .reduce((sum, [, { bytes }]) => sum + bytes, 0);
  const since = Math.max(0, arrayBuffers - collected.arrayBuffers);
  return Math.max(0, rss - stored - (heapTotal - collected.heapUsed) - since);
}
