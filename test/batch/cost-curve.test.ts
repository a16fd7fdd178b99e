import { describe, expect, it } from 'vitest';
import { uniform } from '../../scripts/make-model/test-graphs.mjs';
import { CostCurve } from '../../src/batch/cost-curve.js';
import { kneeOf } from '../../src/util/knee.js';

function curveOf(sizes: readonly number[], value: (cost: number) => number, times = 8): CostCurve {
  const curve = new CostCurve();
  for (let i = 0; i < times; i++) for (const cost of sizes) curve.add(cost, value(cost));
  return curve;
}

describe('cost curve', () => {
  it('knows no line from one size', () => {
    expect(curveOf([8], (n) => n).line()).toBeUndefined();
  });

  it('finds a line that is there', () => {
    const line = curveOf([1, 8, 64], (n) => 0.2 * n + 2.2).line();
    expect(line?.perUnit).toBeCloseTo(0.2, 9);
    expect(line?.perRun).toBeCloseTo(2.2, 9);
  });

  it('finds it within 10 % under noise of 20 %', () => {
    const random = uniform(1);
    const noisy = (n: number) => (0.2 * n + 2.2) * (0.9 + 0.2 * random());
    const line = curveOf([1, 4, 16, 64], noisy, 50).line();
    expect(line?.perUnit).toBeGreaterThan(0.18);
    expect(line?.perUnit).toBeLessThan(0.22);
    expect(line?.perRun).toBeGreaterThan(1.98);
    expect(line?.perRun).toBeLessThan(2.42);
  });

  it('keeps its slope through ten thousand batches of one size', () => {
    const curve = curveOf([1, 8, 64], (n) => 0.2 * n + 2.2);
    for (let i = 0; i < 10_000; i++) curve.add(64, 15);
    expect(curve.line()?.perRun).toBeCloseTo(2.2, 6);
  });

  it('follows a machine that became slower', () => {
    const curve = curveOf([8, 64], (n) => n);
    for (let i = 0; i < 100; i++) for (const n of [8, 64]) curve.add(n, 3 * n);
    expect(curve.line()?.perUnit).toBeCloseTo(3, 1);
  });

  it('has no negative parts, whatever noise says', () => {
    const falling = curveOf([8, 64], (n) => 10 - n / 100).line();
    expect(falling?.perUnit).toBe(0);
    expect(falling?.perRun).toBeGreaterThan(0);
    const bending = curveOf([8, 64], (n) => n * n).line();
    expect(bending?.perRun).toBe(0);
    expect(bending?.perUnit).toBeGreaterThan(0);
  });

  it('names the size that is better beyond chance, in either direction', () => {
    const overflowing = (n: number) => n * (n <= 16 ? 1 + 1 / n : 1.5);
    const curve = curveOf([4, 8, 16, 32], overflowing);
    expect(curve.better(32)).toBe(16);
    expect(curve.better(4)).toBe(16);
    expect(curve.better(16)).toBeUndefined();
    expect(curve.better(500)).toBeUndefined();
  });

  it('does not leave a size that it has hardly seen', () => {
    expect(curveOf([16, 32], (n) => n * (n <= 16 ? 1 : 2), 2).better(32)).toBeUndefined();
    expect(curveOf([16, 32], (n) => n * (n <= 16 ? 1 : 2), 3).better(32)).toBe(16);
  });

  it('does not take chance for a finding', () => {
    const random = uniform(3);
    const flat = (n: number) => n * (0.6 + 0.8 * random());
    let found = 0;
    for (let i = 0; i < 200; i++) if (curveOf([8, 16], flat, 8).better(16) !== undefined) found++;
    expect(found).toBeLessThan(14);
  });
});

describe('knee', () => {
  it('is where doubling gains less than the share', () => {
    const line = { perUnit: 0.2, perRun: 2.2 };
    const each = (n: number) => line.perUnit + line.perRun / n;
    const knee = kneeOf(line, 0.01);
    expect(1 - each(2 * knee) / each(knee)).toBeCloseTo(0.01, 9);
    expect(1 - each(knee) / each(knee / 2)).toBeGreaterThan(0.01);
  });

  it('is at the very start where a run costs nothing by itself, and nowhere where items cost nothing', () => {
    expect(kneeOf({ perUnit: 1, perRun: 0 }, 0.01)).toBe(0);
    expect(kneeOf({ perUnit: 0, perRun: 1 }, 0.01)).toBe(Number.POSITIVE_INFINITY);
  });
});
