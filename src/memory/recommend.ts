// What to change, in plain words, from what memory is like now and was like before.
import { PRESSURE_BEGINS } from '../contract/index.js';
import { formatSize } from '../util/sizes.js';
import { theilSen } from '../util/trend.js';
import type { MemorySnapshot } from './snapshot.js';

/** What a recommendation is about: stable, for programs. */
export type RecommendationTopic = 'unmanaged' | 'others' | 'pressure' | 'trend' | 'account' | 'idle';

export interface Recommendation {
  readonly topic: RecommendationTopic;
  /** One sentence: what was seen, and what to do. */
  readonly text: string;
}

/** How full the budget was, as columns of equal length, newest last. */
export interface UsageHistory {
  /** Milliseconds. */
  readonly at: ArrayLike<number>;
  /** Used ÷ budget. */
  readonly usedShare: ArrayLike<number>;
}

/** A snapshot, and what V8 holds (`process.memoryUsage().heapTotal`); bytes. */
export type MemoryFigures = Pick<
  MemorySnapshot,
  'budget' | 'limit' | 'rss' | 'workingSet' | 'unmanaged' | 'accounts'
> & { readonly heapBytes: number };

/** Where the levels ELEVATED and HIGH begin. */
const [, ELEVATED, HIGH] = PRESSURE_BEGINS;
const MUCH_UNMANAGED = 0.5;
/** A history shorter than that says nothing about what is usual; a trend needs several collections of garbage. */
const LEAST_MS = 10_000;
const LEAST_TREND_MS = 60_000;
const OFTEN = 0.2;
const SOON_MINUTES = 10;
const LITTLE_USED = 0.4;
const DOMINANT = 0.6;
/** Points of a history that a trend is drawn through: all pairs of them are compared. */
const TREND_POINTS = 128;

/** Recommendations, the most pressing first; none where nothing is to be done. */
export function recommend(now: MemoryFigures, history: UsageHistory): Recommendation[] {
  const past = summaryOf(history);
  const found = [
    pressure(now, past),
    trend(now, past),
    others(now),
    unmanaged(now),
    account(now),
    idle(now, past),
  ];
  return found.filter((each) => each !== undefined);
}

interface Past {
  readonly ms: number;
  /** Share of the readings that were HIGH or CRITICAL. */
  readonly high: number;
  readonly peak: number;
  readonly latest: number;
  /** Of the budget, per minute; 0 where no trend is certain. */
  readonly perMinute: number;
}

function summaryOf({ at, usedShare }: UsageHistory): Past {
  const shares = Array.from(usedShare);
  const times = Array.from(at);
  const count = Math.max(1, shares.length);
  const step = Math.ceil(count / TREND_POINTS);
  const thin = (column: number[]) => column.filter((_, i) => i % step === 0);
  const { slope, low } = theilSen(thin(times), thin(shares));
  return {
    ms: (times.at(-1) ?? 0) - (times[0] ?? 0),
    high: shares.filter((share) => share >= HIGH).length / count,
    peak: shares.reduce((most, share) => Math.max(most, share), 0),
    latest: shares.at(-1) ?? 0,
    perMinute: low > 0 ? slope * 60_000 : 0,
  };
}

function pressure({ budget }: MemoryFigures, { ms, high, peak }: Past): Recommendation | undefined {
  if (ms < LEAST_MS || high < OFTEN) return undefined;
  const enough = formatSize((peak * budget) / ELEVATED);
  return {
    topic: 'pressure',
    text: `memory was HIGH or CRITICAL ${percent(high)} of the time: give it a budget of ${enough}, or fewer workers and smaller batches`,
  };
}

function trend({ budget }: MemoryFigures, { ms, latest, perMinute }: Past): Recommendation | undefined {
  if (ms < LEAST_TREND_MS || perMinute <= 0) return undefined;
  const minutes = Math.max(0, 1 - latest) / perMinute;
  if (minutes > SOON_MINUTES) return undefined;
  return {
    topic: 'trend',
    text: `memory grows by ${formatSize(perMinute * budget)} a minute and fills its budget in about ${Math.max(1, Math.round(minutes))} min: see which account leaks, or raise the budget before`,
  };
}

/** Memory that others hold under the same limit. */
function others({ limit, rss, workingSet }: MemoryFigures): Recommendation | undefined {
  const theirs = workingSet - rss;
  if (workingSet < HIGH * limit || theirs < limit / 2) return undefined;
  return {
    topic: 'others',
    text: `other programs hold ${formatSize(theirs)} of the ${formatSize(limit)} that this one shares with them: stop some of them, or run where there is more`,
  };
}

function unmanaged({ budget, unmanaged: bytes, heapBytes }: MemoryFigures): Recommendation | undefined {
  if (bytes < MUCH_UNMANAGED * budget) return undefined;
  const cause =
    heapBytes > bytes / 2
      ? `JavaScript's own heap is ${formatSize(heapBytes)} of it: hold less there, or bound it with node --max-old-space-size`
      : 'libraries, buffers of other packages, or other programs under the same limit: raise the budget to leave room beside them';
  return {
    topic: 'unmanaged',
    text: `unmanaged memory is ${percent(bytes / budget)} of the budget; ${cause}`,
  };
}

/** One account that holds most of what there is while memory is short. */
function account({ budget, accounts }: MemoryFigures): Recommendation | undefined {
  const sizes = Object.entries(accounts).map(([name, { bytes, reserved }]) => ({
    name,
    held: bytes + reserved,
  }));
  const [largest] = sizes.sort((a, b) => b.held - a.held);
  if (!largest || largest.held < DOMINANT * budget) return undefined;
  return {
    topic: 'account',
    text: `${largest.name} holds ${formatSize(largest.held)}, ${percent(largest.held / budget)} of the budget: bound it, so that there is room for the rest`,
  };
}

function idle({ budget }: MemoryFigures, { ms, high, peak }: Past): Recommendation | undefined {
  if (ms < LEAST_MS || high > 0 || peak >= LITTLE_USED) return undefined;
  return {
    topic: 'idle',
    text: `no more than ${percent(peak)} of the budget was used: more workers or larger batches fit, or a budget of ${formatSize((peak * budget) / ELEVATED)} does`,
  };
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}
