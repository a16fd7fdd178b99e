// Budgets by name, for machines of a kind.
import { invalidArgument } from '../util/errors.js';
import { formatSize, isShare, parseSize, parseSizeOrShare, type Size } from '../util/sizes.js';

/** `forensic`: large machines that do nothing else. `container`: a limit of its own. `desktop`: people work on it. */
export type MemoryPreset = 'forensic' | 'container' | 'desktop';

/** Both bounds of a budget, and where they come from. The tighter one is what binds. */
export interface BudgetBounds {
  /** Of this process and its children; `Infinity` where only the limit binds. */
  readonly residentBytes: number;
  /** Of the limit that binds (the tightest cgroup, or the machine), above 0 and up to 1. */
  readonly limitShare: number;
  readonly reason: string;
}

export interface BudgetChoice {
  /** `'2GB'` or `'75%'`; wins over a preset. */
  readonly budget?: Size | undefined;
  readonly preset?: MemoryPreset | undefined;
}

/** What holds where neither a budget nor a preset is given. */
const DEFAULT_BUDGET = '75%';

/** Of the limit, whatever the size: at all of it the kernel kills. */
const BESIDE_A_SIZE = 0.95;

const PRESETS: Readonly<Record<MemoryPreset, (limit: number) => BudgetBounds>> = {
  forensic: () => ({
    residentBytes: 30e9,
    limitShare: BESIDE_A_SIZE,
    reason:
      'the preset forensic: 30 GB, for models of several gigabytes beside long recordings on a machine of their own',
  }),
  container: () => ({
    residentBytes: Number.POSITIVE_INFINITY,
    limitShare: 0.85,
    reason:
      'the preset container: 85 % of its limit, since nobody else is in it; the rest is for what the kernel charges ' +
      'to the group beside our pages (page tables, sockets, dirty page cache) and for what is allocated between two samples',
  }),
  desktop: (limit) => ({
    residentBytes: Math.floor(limit / 4),
    limitShare: 0.85,
    reason:
      'the preset desktop: a quarter of the machine for us, and less where that would fill more than 85 % of it ' +
      'together with what people have open, which must not be swapped out',
  }),
};

/**
 * The bounds that `budget` or `preset` stand for under `limit` bytes. A size bounds our resident memory, a share
 * the working set under the limit; a budget wins over a preset. Throws `ERR_INVALID_ARGUMENT`.
 */
export function budgetBounds({ budget, preset }: BudgetChoice, limit: number): BudgetBounds {
  if (preset !== undefined && !Object.hasOwn(PRESETS, preset))
    throw invalidArgument('preset', "'forensic', 'container' or 'desktop'", preset);
  if (budget === undefined && preset !== undefined) return PRESETS[preset](limit);
  const chosen = budget ?? DEFAULT_BUDGET;
  if (!isShare(chosen)) {
    const residentBytes = parseSize(chosen, 'budget');
    if (residentBytes === 0) throw invalidArgument('budget', 'a size above 0', chosen);
    return { residentBytes, limitShare: BESIDE_A_SIZE, reason: `a budget of ${formatSize(residentBytes)}` };
  }
  const limitShare = parseSizeOrShare(chosen, 1e15, 'budget') / 1e15;
  return {
    residentBytes: Number.POSITIVE_INFINITY,
    limitShare,
    reason: `a budget of ${chosen} of the limit`,
  };
}
