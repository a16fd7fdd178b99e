// Finds memory that is never given back, by account and by completed item.
import type { LeakVerdict, LeakWatch } from '../pipeline/leak-watch.js';
import { invalidArgument } from '../util/errors.js';
import { formatSize } from '../util/sizes.js';
import { Floors } from './floors.js';
import { type Judgement, judge } from './leak-judge.js';

/** Windows of an account: a run of any length fits into them, 1 kB for each account. */
const WINDOWS = 64;

/**
 * Watches how many bytes each account holds as items are completed, and tells which of them grow with the items.
 *
 * It looks at floors, the least that was held in each of up to 64 windows of items, since garbage that is not yet
 * collected lies above them. Time plays no part: a job that waits does not leak. What a job gets once and keeps
 * (libraries, pools, a larger batch) is no leak either; `leak-judge.ts` says how that is told apart. A leak of 2 %
 * over all items is found 98 times out of 100 beneath garbage of 5 to 30 %; `npm run bench -- leak` counts.
 *
 * `verdicts` go by what was observed, garbage included: look at JavaScript's heap and at the process right after full
 * collections, as `LeakProbe` does.
 */
export class LeakDetector implements LeakWatch {
  readonly #floors = new Map<string, Floors>();
  #items = 0;

  /**
   * Takes note of what is held: bytes by account, after `itemsCompleted` items. To be called every few items, or
   * every so often; a microsecond an account. Throws `ERR_INVALID_ARGUMENT` where the items fall.
   */
  observe(itemsCompleted: number, bytesOf: Readonly<Record<string, number>>): void {
    if (!(itemsCompleted >= this.#items))
      throw invalidArgument('itemsCompleted', `a number of at least ${this.#items}`, itemsCompleted);
    this.#items = itemsCompleted;
    for (const [account, bytes] of Object.entries(bytesOf))
      this.#floorsOf(account).add(itemsCompleted, bytes);
  }

  /** One verdict for each account, leaks first, then by what an item leaves behind. */
  verdicts(): LeakVerdict[] {
    return Array.from(this.#floors, ([account, floors]) => verdict(account, judge(floors.list()))).sort(
      (a, b) => Number(b.leaking) - Number(a.leaking) || b.bytesPerItem - a.bytesPerItem,
    );
  }

  #floorsOf(account: string): Floors {
    const known = this.#floors.get(account);
    if (known) return known;
    const floors = new Floors(WINDOWS);
    this.#floors.set(account, floors);
    return floors;
  }
}

function verdict(account: string, judgement: Judgement): LeakVerdict {
  const { slope, low, high, items, finding } = judgement;
  return {
    account,
    leaking: finding === 'leak',
    bytesPerItem: slope,
    low,
    high,
    items,
    reason: `${account} ${sentence(judgement)}`,
  };
}

function sentence({ slope, low, high, items, growth, share, finding }: Judgement): string {
  const over = `over ${items} items`;
  const percent = `${(100 * share).toFixed(1)} %`;
  const perItem = `${formatSize(slope)} an item (${formatSize(low)} to ${formatSize(high)})`;
  switch (finding) {
    case 'leak':
      return `grows by ${perItem}, ${formatSize(growth)} or ${percent} ${over}, and never gives it back`;
    case 'few':
      return `was seen too few times to tell (${over})`;
    case 'steady':
      return `does not grow with the items (${over})`;
    case 'slight':
      return `grows by ${perItem}, which is ${formatSize(growth)} or ${percent} ${over}: too little to matter`;
    case 'settling':
      return `grew by ${formatSize(growth)} ${over}, but not all the way: it warmed up, or took a step`;
    case 'returned':
      return `rises and falls ${over}: what it gained it gave back`;
  }
}
