// Levels of pressure and the sentences about them, as native/memory/pressure.h and governor_reasons have them.
import type { GovernorPlan, PressureDegree, PressureReading } from '../contract/index.js';
import { invalidArgument } from '../util/errors.js';
import { formatSize } from '../util/sizes.js';

export const HIGH = 2;

/** What is watched while nobody has made a plan. */
export const WHOLE: GovernorPlan = {
  residentBytes: Number.POSITIVE_INFINITY,
  limitShare: 1,
  proc: '/proc',
  cgroup: '/sys/fs/cgroup',
};

const BEGINS = [0, 0.7, 0.85, 0.95] as const;
/** A level is left this far below where it begins, so that a saw-tooth on a threshold does not flap. */
const HYSTERESIS = 0.06;
export const HIGH_BEGINS = BEGINS[HIGH];
const HIGH_ENDS = HIGH_BEGINS - HYSTERESIS;

export function nextLevel(level: PressureDegree, usedShare: number): PressureDegree {
  let next: number = level;
  while (next < 3 && usedShare >= (BEGINS[next + 1] as number)) next++;
  while (next > 0 && usedShare < (BEGINS[next] as number) - HYSTERESIS) next--;
  return next as PressureDegree;
}

/** Bytes down to where `HIGH` ends. */
export function bytesToCalm({ budgetBytes, headroomBytes }: PressureReading): number {
  return Math.max(0, Math.round(budgetBytes - headroomBytes - HIGH_ENDS * budgetBytes));
}

/** One sentence with the figures; `bySize`: the bound on resident memory is the nearest. */
export function describePressure(reading: PressureReading, bySize: boolean): string {
  const { residentBytes, childrenBytes, workingSetBytes, limitBytes, budgetBytes, usedShare } = reading;
  const used = `${(100 * usedShare).toFixed(1)} % of the budget of ${formatSize(budgetBytes)}`;
  if (bySize)
    return `${used} is used: resident memory is ${formatSize(residentBytes + childrenBytes)}, ${formatSize(childrenBytes)} of it in children`;
  return `${used} is used or out of reach: the working set under ${reading.source} is ${formatSize(workingSetBytes)} of ${formatSize(limitBytes)}`;
}

/** Throws `ERR_INVALID_ARGUMENT`. */
export function requirePlan({ residentBytes, limitShare }: GovernorPlan): void {
  if (!(residentBytes > 0)) throw invalidArgument('residentBytes', 'a size above 0', residentBytes);
  if (!(limitShare > 0 && limitShare <= 1))
    throw invalidArgument('limitShare', 'a share above 0 and up to 1', limitShare);
}
