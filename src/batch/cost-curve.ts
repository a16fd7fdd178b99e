// What batches took by their cost (items, or tokens): a mean for each size, the line through them, and where it bends.
import type { Line } from '../util/knee.js';

/** Batches of about one size. */
interface Cell {
  /** Means, exponentially weighted (Roberts, Control Chart Tests Based on Geometric Moving Averages, 1959). */
  cost: number;
  perUnit: number;
  samples: number;
}

/** Sizes within a quarter of an octave count as one. */
export const CELLS_PER_OCTAVE = 2;
/** Samples that a mean remembers. */
const MEMORY = 16;
/** A sample counts for no more than so many times the mean: a machine that was busy elsewhere says nothing of a size. */
const MOST_OF_MEAN = 2;
/** Samples from which on a mean is worth comparing. */
const LEAST_SAMPLES = 3;
/** The relative deviation of a batch's time where nothing disturbs; less is never assumed. */
const LEAST_NOISE = 0.05;
/**
 * The standard deviation of a normal distribution, in mean absolute ones (√(π/2)): squares would let one batch that had
 * its memory laid out hide what twenty others say.
 */
const NORMAL = 1.2533;
/** Standard errors that a difference has to have to be more than chance. */
const BEYOND_CHANCE = 2;

/** Learns from batches as they come. */
export class CostCurve {
  readonly #cells = new Map<number, Cell>();
  /** Mean distance of a sample from the mean of its cell, as a share of it, over all cells; at first assumed. */
  #deviation = (3 * LEAST_NOISE) / NORMAL;

  add(cost: number, value: number): void {
    const key = keyOf(cost);
    const cell = this.#cells.get(key);
    const given = value / cost;
    if (!cell) {
      this.#cells.set(key, { cost, perUnit: given, samples: 1 });
      return;
    }
    const perUnit = cell.samples < LEAST_SAMPLES ? given : Math.min(given, MOST_OF_MEAN * cell.perUnit);
    cell.samples = Math.min(MEMORY, cell.samples + 1);
    const weight = 1 / cell.samples;
    const change = perUnit - cell.perUnit;
    cell.perUnit += weight * change;
    cell.cost += weight * (cost - cell.cost);
    this.#deviation += (Math.abs(change) / cell.perUnit - this.#deviation) / MEMORY;
  }

  /**
   * Through all that is known; undefined until two sizes were seen. See {@link lineThrough}.
   */
  line(): Line | undefined {
    return lineThrough([...this.#cells.values()]);
  }

  /** Whether batches of about this size were seen. */
  knows(cost: number): boolean {
    return this.#cells.has(keyOf(cost));
  }

  /** The smallest size that is as cheap by the unit as any, but for noise. */
  smallestCheap(): number {
    const cells = [...this.#cells.values()];
    const least = (1 + LEAST_NOISE) * (cheapest(cells)?.perUnit ?? 0);
    return Math.min(...cells.flatMap(({ cost, perUnit }) => (perUnit <= least ? [cost] : [])));
  }

  /** Through the sizes up to where larger ones cost more by the unit, beyond chance: what a larger batch could gain. */
  gain(): Line | undefined {
    const cells = [...this.#cells.values()];
    const best = cheapest(cells);
    return best && lineThrough(cells.filter((cell) => cell.cost <= best.cost || !this.#isWorse(cell, best)));
  }

  /**
   * The known size that is cheaper by the unit than that of `cost` is, beyond chance; undefined where none is, or that
   * of `cost` was seen less than `samples` times. Caches that overflow show here, and not in a straight line.
   */
  better(cost: number, samples = LEAST_SAMPLES): number | undefined {
    const own = this.#cells.get(keyOf(cost));
    if (!own || own.samples < samples) return undefined;
    const best = cheapest([...this.#cells.values()]) as Cell;
    return this.#isWorse(own, best) ? best.cost : undefined;
  }

  #isWorse(cell: Cell, than: Cell): boolean {
    const noise = Math.max(LEAST_NOISE, NORMAL * this.#deviation);
    const squaredError = ({ perUnit, samples }: Cell) => (noise * perUnit) ** 2 / samples;
    const chance = BEYOND_CHANCE * Math.sqrt(squaredError(cell) + squaredError(than));
    return cell.perUnit - than.perUnit > chance;
  }
}

/** Of equals the smallest. */
function cheapest(cells: readonly Cell[]): Cell | undefined {
  const isBetter = (a: Cell, b: Cell) =>
    a.perUnit < b.perUnit || (a.perUnit === b.perUnit && a.cost < b.cost);
  return cells.reduce<Cell | undefined>(
    (best, cell) => (best && isBetter(best, cell) ? best : cell),
    undefined,
  );
}

/**
 * Least squares through the means of two cells or more. Each is weighted by 1 ÷ cost², so that all sizes are met equally
 * well in proportion. Through means of cells, and not through sums that forget, because a batcher that has settled sees
 * one size for hours, which would wipe out what the slope is known from (covariance wind-up, Åström and Wittenmark,
 * Adaptive Control, 1995, section 11.5).
 */
function lineThrough(cells: readonly Cell[]): Line | undefined {
  if (cells.length < 2) return undefined;
  // Divided by the cost, the line is perUnit + perRun · (1 ÷ cost), whose squares are the weighted ones.
  let [n, x, y, xx, xy] = [0, 0, 0, 0, 0];
  for (const { cost, perUnit, samples } of cells) {
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

function keyOf(cost: number): number {
  return Math.round(CELLS_PER_OCTAVE * Math.log2(cost));
}
