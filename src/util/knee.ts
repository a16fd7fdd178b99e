// The size from which on larger batches gain nothing, by a straight line of what batches take.

/** value = perUnit · cost + perRun. */
export interface Line {
  readonly perUnit: number;
  readonly perRun: number;
}

/** Where doubling gains less by the item than this, a batch is large enough: within 2 % of any larger. */
const KNEE_SHARE = 0.01;

/**
 * The cost from which on twice as much would make the unit cheaper by less than `share`, 1 % unless told: of
 * perUnit + perRun ÷ c doubling saves perRun ÷ 2c.
 */
export function kneeOf({ perUnit, perRun }: Line, share = KNEE_SHARE): number {
  return perUnit === 0 ? Number.POSITIVE_INFINITY : (perRun * (0.5 - share)) / (share * perUnit);
}
