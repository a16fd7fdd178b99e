import { describe, expect, it } from 'vitest';
import { uniform } from '../../scripts/make-model/test-graphs.mjs';
import { mannKendall, theilSen } from '../../src/util/trend.js';

const indices = (length: number) => Array.from({ length }, (_, i) => i);

describe('the Mann–Kendall test', () => {
  it('counts pairs and corrects the variance for ties', () => {
    expect(mannKendall([10, 15, 14, 20])).toEqual({ s: 4, z: expect.closeTo(3 / Math.sqrt(156 / 18)) });
    expect(mannKendall([1, 1, 2])).toEqual({ s: 2, z: expect.closeTo(1 / Math.sqrt((66 - 18) / 18)) });
    expect(mannKendall([20, 14, 15, 10]).z).toBeCloseTo(-mannKendall([10, 15, 14, 20]).z);
  });

  it('finds nothing in what never changes, and in nothing', () => {
    expect(mannKendall([5, 5, 5, 5])).toEqual({ s: 0, z: 0 });
    expect(mannKendall([])).toEqual({ s: 0, z: 0 });
  });

  it('takes noise for a trend about as often as it should', () => {
    const random = uniform(1);
    const trials = 2000;
    const found = indices(trials).filter(() => mannKendall(Array.from({ length: 40 }, random)).z > 1.645);
    expect(found.length / trials).toBeGreaterThan(0.03);
    expect(found.length / trials).toBeLessThan(0.07);
  });
});

describe('the Theil–Sen slope', () => {
  it('is the median of the slopes of all pairs, which an outlier does not move', () => {
    const xs = [0, 1, 2, 4, 5, 6, 9];
    const ys = xs.map((x) => 3 * x + 1);
    expect(theilSen(xs, ys).slope).toBe(3);
    expect(theilSen(xs, ys.with(3, 1000)).slope).toBe(3);
  });

  it('has an interval that holds the true slope 95 times out of 100', () => {
    const random = uniform(2);
    const xs = indices(30);
    const trials = 1000;
    const held = indices(trials).filter(() => {
      const { slope, low, high } = theilSen(
        xs,
        xs.map((x) => 0.5 * x + 20 * random()),
      );
      expect(low).toBeLessThanOrEqual(slope);
      expect(high).toBeGreaterThanOrEqual(slope);
      return low <= 0.5 && high >= 0.5;
    });
    expect(held.length / trials).toBeGreaterThan(0.93);
    expect(held.length / trials).toBeLessThan(0.985);
  });

  it('is certain of nothing with too few points', () => {
    const infinite = { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };
    expect(theilSen([], [])).toEqual({ slope: 0, ...infinite });
    expect(theilSen([1], [5])).toEqual({ slope: 0, ...infinite });
    expect(theilSen([1, 2, 3], [1, 2, 3])).toEqual({ slope: 1, ...infinite });
  });
});
