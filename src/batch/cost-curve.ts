// What batches took by their cost (items, or tokens): a mean for each size, the line through them, and where it bends.

/** value = perUnit · cost + perRun. */
export interface Line {
  readonly perUnit: number;
  readonly perRun: number;
}

/** Batches of about one size. */
interface Cell {
  /** Means, exponentially weighted (Roberts, Control Chart Tests Based on Geometric Moving Averages, 1959). */
  cost: number;
  perUnit: number;
  /** Of `perUnit`, weighted alike. */
  variance: number;
  samples: number;
  /** Number of the last sample. */
  at: number;
}

/** Sizes within a quarter of an octave count as one. */
const CELLS_PER_OCTAVE = 2;
/** Samples that a mean remembers. */
const MEMORY = 16;
/** A sample counts for no more than so many times the mean: a machine that was busy elsewhere says nothing of a size. */
const MOST_OF_MEAN = 2;
/** Samples below which a cell's variance means nothing, and the deviation that is assumed instead, of the mean. */
const LEAST_SAMPLES = 3;
const ASSUMED_DEVIATION = 0.1;
/** A finding is held against a size for so many batches for each of its samples. */
const PATIENCE = 32;

/** Learns from batches as they come. */
export class CostCurve {
  readonly #cells = new Map<number, Cell>();
  #samples = 0;

  add(cost: number, value: number): void {
    const at = ++this.#samples;
    const key = Math.round(CELLS_PER_OCTAVE * Math.log2(cost));
    const cell = this.#cells.get(key);
    const given = value / cost;
    if (!cell) {
      this.#cells.set(key, { cost, perUnit: given, variance: 0, samples: 1, at });
      return;
    }
    const perUnit = cell.samples < LEAST_SAMPLES ? given : Math.min(given, MOST_OF_MEAN * cell.perUnit);
    cell.samples = Math.min(MEMORY, cell.samples + 1);
    const weight = 1 / cell.samples;
    const change = perUnit - cell.perUnit;
    cell.perUnit += weight * change;
    cell.variance = (1 - weight) * (cell.variance + weight * change * change);
    cell.cost += weight * (cost - cell.cost);
    cell.at = at;
  }

  /**
   * Least squares through the means; undefined until two sizes were seen. Each is weighted by 1 ÷ cost², so that all
   * sizes are met equally well in proportion. Kept as means of cells, and not as sums that forget, because a batcher
   * that has settled sees one size for hours, which would wipe out what the slope is known from (covariance wind-up,
   * Åström and Wittenmark, Adaptive Control, 1995, section 11.5).
   */
  line(): Line | undefined {
    if (this.#cells.size < 2) return undefined;
    // Divided by the cost, the line is perUnit + perRun · (1 ÷ cost), whose squares are the weighted ones.
    let [n, x, y, xx, xy] = [0, 0, 0, 0, 0];
    for (const { cost, perUnit, samples } of this.#cells.values()) {
      const weight = Math.min(samples, LEAST_SAMPLES);
      n += weight;
      x += weight / cost;
      y += weight * perUnit;
      xx += weight / cost ** 2;
      xy += (weight * perUnit) / cost;
    }
    const perRun = (n * xy - x * y) / (n * xx - x * x);
    const perUnit = (y - perRun * x) / n;
    if (perRun < 0) return { perUnit: y / n, perRun: 0 };
    return perUnit < 0 ? { perUnit: 0, perRun: xy / xx } : { perUnit, perRun };
  }

  /**
   * The cost that is cheapest by the unit, where a larger one was measured and found worse beyond chance (two standard
   * errors of the difference); else `Infinity`. Caches that overflow show here, and not in a straight line.
   */
  cheapest(): number {
    const known = [...this.#cells.values()].filter(
      ({ samples, at }) => this.#samples - at < PATIENCE * samples,
    );
    const best = known.reduce<Cell | undefined>(
      (least, cell) => (least && least.perUnit <= cell.perUnit ? least : cell),
      undefined,
    );
    if (!best) return Number.POSITIVE_INFINITY;
    const isWorse = (cell: Cell) =>
      cell.cost > best.cost &&
      cell.perUnit - best.perUnit > 2 * Math.sqrt(squaredErrorOf(cell) + squaredErrorOf(best));
    return known.some(isWorse) ? best.cost : Number.POSITIVE_INFINITY;
  }
}

/** Of the mean. */
function squaredErrorOf({ perUnit, variance, samples }: Cell): number {
  return (samples < LEAST_SAMPLES ? (ASSUMED_DEVIATION * perUnit) ** 2 : variance) / samples;
}

/**
 * The cost from which on twice as much would make the unit cheaper by less than `share`: perRun ÷ 2c is what doubling
 * saves of perUnit + perRun ÷ c.
 */
export function kneeOf({ perUnit, perRun }: Line, share: number): number {
  return perUnit === 0 ? Number.POSITIVE_INFINITY : (perRun * (0.5 - share)) / (share * perUnit);
}
