// Trends in noisy series, without assumptions about how the noise is distributed.

/** Mann–Kendall: how consistently later values exceed earlier ones. */
export interface Monotony {
  /** Pairs that rise minus pairs that fall. */
  readonly s: number;
  /** `s` in standard deviations under the hypothesis of no trend, corrected for continuity and for ties. */
  readonly z: number;
}

/** Theil–Sen: the median of the slopes of all pairs, with Sen's interval around it. In units of y per unit of x. */
export interface Slope {
  readonly slope: number;
  readonly low: number;
  readonly high: number;
}

/**
 * Tests `values`, in order of time, for a monotone trend.
 *
 * H. B. Mann, "Nonparametric tests against trend", Econometrica 13 (1945); M. G. Kendall, "Rank Correlation
 * Methods", 4th ed. (1975), for the variance with ties.
 */
export function mannKendall(values: ArrayLike<number>): Monotony {
  let s = 0;
  for (let i = 0; i < values.length; i++)
    for (let j = i + 1; j < values.length; j++) s += Math.sign(at(values, j) - at(values, i));
  const sd = Math.sqrt(varianceOfS(values));
  return { s, z: s === 0 || sd === 0 ? 0 : (s - Math.sign(s)) / sd };
}

/**
 * The slope of `ys` over `xs`, which must rise. `z`: how many standard deviations the interval reaches to either
 * side; 1.96 holds the slope 95 times out of 100.
 *
 * H. Theil, "A rank-invariant method of linear and polynomial regression analysis", Proc. Kon. Ned. Akad. Wetensch.
 * 53 (1950); P. K. Sen, "Estimates of the regression coefficient based on Kendall's tau", JASA 63 (1968), for the
 * interval.
 */
export function theilSen(xs: ArrayLike<number>, ys: ArrayLike<number>, z = 1.96): Slope {
  const n = xs.length;
  if (n < 2) return { slope: 0, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };
  const slopes = new Float64Array((n * (n - 1)) / 2);
  let next = 0;
  for (let i = 0; i < n; i++)
    for (let j = i + 1; j < n; j++) slopes[next++] = (at(ys, j) - at(ys, i)) / (at(xs, j) - at(xs, i));
  slopes.sort();
  const reach = z * Math.sqrt(varianceOfS(ys));
  return {
    slope: (at(slopes, (next - 1) >> 1) + at(slopes, next >> 1)) / 2,
    low: ranked(slopes, (next - reach) / 2),
    high: ranked(slopes, (next + reach) / 2 + 1),
  };
}

/** The slope at a rank that counts from 1, rounded outwards from the middle; infinite where there are too few. */
function ranked(slopes: Float64Array, rank: number): number {
  const outwards = rank * 2 < slopes.length ? Math.floor(rank) : Math.ceil(rank);
  if (outwards < 1) return Number.NEGATIVE_INFINITY;
  return outwards > slopes.length ? Number.POSITIVE_INFINITY : at(slopes, outwards - 1);
}

function varianceOfS(values: ArrayLike<number>): number {
  const counts = new Map<number, number>();
  for (let i = 0; i < values.length; i++) counts.set(at(values, i), (counts.get(at(values, i)) ?? 0) + 1);
  const term = (n: number) => n * (n - 1) * (2 * n + 5);
  let sum = term(values.length);
  for (const ties of counts.values()) sum -= term(ties);
  return sum / 18;
}

function at(values: ArrayLike<number>, index: number): number {
  return values[index] as number;
}
