// What a run tells a leak detector while it goes on, and what it hears back.
import { setTimeout } from 'node:timers/promises';
import { collectGarbage } from '../memory/garbage.js';
import type { MemorySnapshot } from '../memory/snapshot.js';
import { native } from '../native/load.js';

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
  /** One verdict for each account, the worst first. Some milliseconds. */
  verdicts(): LeakVerdict[];
}

/** The names under which the process as a whole is watched, and JavaScript's heap. */
export const PROCESS = 'process';
export const HEAP = 'heap';

/** Accounts that are there to fill up: caches end at their own limit, the index of near-duplicates has an entry a photo. */
const STORAGE = /^(near-duplicates$|(adaptive-)?cache(:|$))/;

/**
 * What to tell a leak detector of a snapshot: every account that is not storage; what is used of V8's heap; and the
 * process, which is its resident memory less what caches hold of it and what V8 keeps free.
 */
export function watchedBytes(
  { rss, accounts }: Pick<MemorySnapshot, 'rss' | 'accounts'>,
  { heapTotal, heapUsed }: Pick<NodeJS.MemoryUsage, 'heapTotal' | 'heapUsed'> = process.memoryUsage(),
): Record<string, number> {
  const watched: Record<string, number> = {};
  let aside = heapTotal - heapUsed;
  for (const [name, { bytes, reserved }] of Object.entries(accounts))
    if (STORAGE.test(name)) aside += bytes;
    else watched[name] = bytes + reserved;
  return { ...watched, [HEAP]: heapUsed, [PROCESS]: Math.max(0, rss - aside) };
}

/** V8 unmaps what a collection freed on threads of its own, after the fact. */
const SETTLE_MS = 50;

/**
 * The verdicts at the end of a run. V8 may leave old garbage alone from the first item to the last, which looks like a
 * leak: before anything is accused, garbage is collected (some 10 ms for each 100 MB of heap) and `observe` called
 * once more.
 */
export async function finalVerdicts(watch: LeakWatch, observe: () => void): Promise<LeakVerdict[]> {
  const verdicts = watch.verdicts();
  if (!verdicts.some(({ leaking }) => leaking)) return verdicts;
  collectGarbage();
  await native().trim?.();
  await setTimeout(SETTLE_MS);
  observe();
  return watch.verdicts();
}
