// The four levels of memory pressure, by name.
import type { PressureDegree } from '../contract/index.js';

/** `NORMAL` below 70 % of the budget, `ELEVATED` below 85 %, `HIGH` below 95 %, else `CRITICAL`. */
export type PressureLevel = 'NORMAL' | 'ELEVATED' | 'HIGH' | 'CRITICAL';

/** In order, from the least. */
export const PRESSURE_LEVELS: readonly PressureLevel[] = ['NORMAL', 'ELEVATED', 'HIGH', 'CRITICAL'];

/** From this degree on memory is given back and less is begun. */
export const HIGH: PressureDegree = 2;

/** Where `HIGH` is left again: it begins at 85 % of the budget and ends 6 points lower. */
export const HIGH_EXIT_SHARE = 0.79;

export function levelName(degree: PressureDegree): PressureLevel {
  return PRESSURE_LEVELS[degree] as PressureLevel;
}

/** How many of `most` things may go on at once: half at `ELEVATED`, one from `HIGH` on. */
export function allowedAt(level: PressureLevel, most: number): number {
  if (level === 'NORMAL') return most;
  return level === 'ELEVATED' ? Math.ceil(most / 2) : 1;
}
