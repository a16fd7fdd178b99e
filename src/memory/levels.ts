// The four levels of memory pressure, by name.
import { HIGH, PRESSURE_BEGINS, PRESSURE_HYSTERESIS, type PressureDegree } from '../contract/index.js';

/** `NORMAL` below 70 % of the budget, `ELEVATED` below 85 %, `HIGH` below 95 %, else `CRITICAL`. */
export type PressureLevel = 'NORMAL' | 'ELEVATED' | 'HIGH' | 'CRITICAL';

/** In order, from the least. */
export const PRESSURE_LEVELS: readonly PressureLevel[] = ['NORMAL', 'ELEVATED', 'HIGH', 'CRITICAL'];

/** Where `HIGH` is left again, used ÷ budget. */
export const HIGH_EXIT_SHARE = PRESSURE_BEGINS[HIGH] - PRESSURE_HYSTERESIS;

export function levelName(degree: PressureDegree): PressureLevel {
  return PRESSURE_LEVELS[degree] as PressureLevel;
}

/** How many of `most` things may go on at once: half at `ELEVATED`, one from `HIGH` on. */
export function allowedAt(level: PressureLevel, most: number): number {
  if (level === 'NORMAL') return most;
  return level === 'ELEVATED' ? Math.ceil(most / 2) : 1;
}
