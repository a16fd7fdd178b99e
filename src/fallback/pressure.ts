// Levels of pressure and the sentences about them, as native/memory/pressure.h and governor_reasons have them.
import {
  type GovernorPlan,
  HIGH,
  PRESSURE_BEGINS,
  PRESSURE_HYSTERESIS,
  type PressureDegree,
  type PressureReading,
} from '../contract/index.js';
import { invalidArgument } from '../util/errors.js';
import { formatSize } from '../util/sizes.js';

/** What is watched while nobody has made a plan. */
export const WHOLE: GovernorPlan = {
  residentBytes: Number.POSITIVE_INFINITY,
  limitShare: 1,
  proc: '/proc',
  cgroup: '/sys/fs/cgroup',
};

export const HIGH_BEGINS = PRESSURE_BEGINS[HIGH];
const HIGH_ENDS = HIGH_BEGINS - PRESSURE_HYSTERESIS;

export function nextLevel(level: PressureDegree, usedShare: number): PressureDegree {
  let next: number = level;
  while (next < 3 && usedShare >= (PRESSURE_BEGINS[next + 1] as number)) next++;
  while (next > 0 && usedShare < (PRESSURE_BEGINS[next] as number) - PRESSURE_HYSTERESIS) next--;
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
