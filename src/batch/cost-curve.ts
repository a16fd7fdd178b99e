// What batches took by their cost (items, or tokens): a median for each size, the line through them, and where it bends.
import type { Line } from '../util/knee.js';

/** Batches of about one size. */
interface Cell {
  /** Exponentially weighted mean (Roberts, Control Chart Tests Based on Geometric Moving Averages, 1959). */
  cost: number;
  /** Of the last samples, of which the oldest is the next to go. */
  readonly recent: number[];
  oldest: number;
  /** The median of the last samples: the first runs of a size have memory laid out, and say little of the next. */
  perUnit: number;
}

/** Sizes within a quarter of an octave count as one. */
const CELLS_PER_OCTAVE = 2;
/** Samples of a size that are remembered. */
const MEMORY = 16;
/** A sample is no further from the median than so many times it: a machine that was busy elsewhere says nothing of a size. */
const FURTHEST = 1;
/** Samples from which on a size is worth comparing. */
const LEAST_SAMPLES = 3;
/** The relative deviation of a batch's time where nothing disturbs; less is never assumed. */
const LEAST_NOISE = 0.05;
/**
 * The standard deviation of a normal distribution in mean absolute ones, and the standard error of its median in those
 * of its mean: both are √(π/2). Squares would let one batch that had its memory laid out hide what twenty others say.
 */
const NORMAL = Math.sqrt(Math.PI / 2);
/** Standard errors that a difference has to have to be more than chance. */
const BEYOND_CHANCE = 2.5;

/** Learns from batches as they come. */
export class CostCurve {
  readonly #cells = new Map<number, Cell>();
  /** Mean distance of a sample from the median of its cell, as a share of it, over all cells; at first assumed. */
  #deviation = (3 * LEAST_NOISE) / NORMAL;

  add(cost: number, value: number): void {
    const key = keyOf(cost);
    const given = value / cost;
    const cell = this.#cells.get(key);
    if (!cell) {
      this.#cells.set(key, { cost, recent: [given], oldest: 0, perUnit: given });
      return;
    }
    if (cell.recent.length < MEMORY) cell.recent.push(given);
    else {
      cell.recent[cell.oldest] = given;
      cell.oldest = (cell.oldest + 1) % MEMORY;
    }
    cell.cost += (cost - cell.cost) / cell.recent.length;
    cell.perUnit = median(cell.recent);
    const distance = Math.min(FURTHEST, Math.abs(given - cell.perUnit) / cell.perUnit);
    this.#deviation += (distance - this.#deviation) / MEMORY;
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
   * of `cost` was hardly seen. Caches that overflow show here, and not in a straight line.
   */
  better(cost: number): number | undefined {
    const own = this.#cells.get(keyOf(cost));
    if (!own || own.recent.length < LEAST_SAMPLES) return undefined;
    const best = cheapest([...this.#cells.values()]) as Cell;
    return this.#isWorse(own, best) ? best.cost : undefined;
  }

  #isWorse(cell: Cell, than: Cell): boolean {
    const noise = NORMAL * Math.max(LEAST_NOISE, NORMAL * this.#deviation);
    const squaredError = ({ perUnit, recent }: Cell) => (noise * perUnit) ** 2 / recent.length;
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
 * Least squares through two cells or more. Each is weighted by 1 ÷ cost², so that all sizes are met equally
 * well in proportion. Through cells, and not through sums that forget, because a batcher that has settled sees
 * one size for hours, which would wipe out what the slope is known from (covariance wind-up, Åström and Wittenmark,
 * Adaptive Control, 1995, section 11.5).
 */
function lineThrough(cells: readonly Cell[]): Line | undefined {
  if (cells.length < 2) return undefined;
  // Divided by the cost, the line is perUnit + perRun · (1 ÷ cost), whose squares are the weighted ones.
  let [n, x, y, xx, xy] = [0, 0, 0, 0, 0];
  for (const { cost, perUnit, recent } of cells) {
    const weight = Math.min(recent.length, LEAST_SAMPLES);
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

/** Of an even number of values the lower one of the two in the middle. */
function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[(values.length - 1) >> 1] as number;
}

/** The size that stands for all that count as one with it. */
export function roundedSize(cost: number): number {
  return Math.round(2 ** (keyOf(cost) / CELLS_PER_OCTAVE));
}
