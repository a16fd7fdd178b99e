import { describe, expect, it } from 'vitest';
import { uniform } from '../../scripts/make-model/test-graphs.mjs';
import { BatchSize, type Room } from '../../src/batch/batch-size.js';
import { Ceiling } from '../../src/batch/ceiling.js';

const endless: Room = {
  items: Number.POSITIVE_INFINITY,
  tokens: Number.POSITIVE_INFINITY,
  bytes: Number.POSITIVE_INFINITY,
};

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] as number;
}

interface Machine {
  ms(items: number): number;
  bytes?(items: number): number;
  room?: Room;
}

/** The sizes of `batches` full batches in a row. */
function sizesOf(size: BatchSize, { ms, bytes, room = endless }: Machine, batches: number): number[] {
  return Array.from({ length: batches }, () => {
    const cost = Math.floor(size.next(1, room).cost);
    size.ran({ cost, unit: 1, ms: ms(cost), bytes: bytes?.(cost) });
    return cost;
  });
}

const sized = (plan: { minBatch?: number; maxBatch?: number; maxLatencyMs?: number } = {}) =>
  new BatchSize({ minBatch: 1, maxBatch: 1024, maxLatencyMs: Number.POSITIVE_INFINITY, ...plan });

describe('batch size', () => {
  it('doubles from eight up to maxBatch while that gains', () => {
    const size = sized({ maxBatch: 100 });
    expect(sizesOf(size, { ms: (n) => 100 + n }, 6)).toEqual([8, 16, 32, 64, 100, 100]);
    expect(size.next(1, endless).bound).toBe('maxBatch');
  });

  it('looks at smaller sizes once, and stays with what is cheapest', () => {
    const cached = { ms: (n: number) => n * (n <= 2 ? 1 : 3) };
    const sizes = sizesOf(sized(), cached, 60);
    expect(sizes.slice(8, 11)).toEqual([4, 2, 1]);
    expect(Math.max(...sizes.slice(-30))).toBeLessThanOrEqual(2);
    const least = sizesOf(sized({ minBatch: 4 }), cached, 60);
    expect(Math.min(...least)).toBe(4);
  });

  it('looks at them again, in case the first, cold runs of a process wronged them', () => {
    let runs = 0;
    const ms = (n: number) => (n <= 32 ? 5 + n : 1.4 * n) * (runs++ < 5 ? 2 : 1);
    const sizes = sizesOf(sized({ maxBatch: 64 }), { ms }, 300).slice(-100);
    expect(sizes.filter((n) => n > 32).length).toBeLessThan(10);
  });

  it('finds what is cheapest where the first runs of a size have memory laid out, and stays with few sizes', () => {
    let last = 0;
    let since = 0;
    const steady = (n: number) => (n <= 32 ? 2 + n : 1.3 * n);
    const ms = (n: number) => {
      since = n === last ? since + 1 : 0;
      last = n;
      return steady(n) * (since === 0 ? 1.8 : since === 1 ? 1.2 : 1);
    };
    const sizes = sizesOf(sized({ maxBatch: 128 }), { ms }, 400).slice(-300);
    expect(sizes.filter((n) => n > 32).length).toBeLessThan(15);
    expect(new Set(sizes).size).toBeLessThanOrEqual(8);
  });

  it('does not let single slow batches hide what many others say', () => {
    let runs = 0;
    const ms = (n: number) => (n <= 32 ? 5 + n : 1.4 * n) * (runs++ % 12 === 0 ? 3 : 1);
    const sizes = sizesOf(sized({ maxBatch: 64 }), { ms }, 300).slice(-100);
    expect(sizes.filter((n) => n > 32).length).toBeLessThan(10);
  });

  it('settles at the knee', () => {
    const size = sized();
    const sizes = sizesOf(size, { ms: (n) => 2 + n }, 22);
    expect(size.next(1, endless).bound).toBe('knee');
    // (0.5 − 0.01) ÷ 0.01 · 2 ÷ 1 is 98, to half an octave.
    expect(sizes.at(-1)).toBe(91);
  });

  it('settles where batches gain nothing at one', () => {
    expect(sizesOf(sized(), { ms: (n) => 3 * n }, 12).at(-1)).toBe(1);
  });

  it('turns back from where caches overflow', () => {
    const ms = (n: number) => (n <= 32 ? 2 + n : 1.5 * n);
    const sizes = sizesOf(sized(), { ms }, 400).slice(-200);
    expect(Math.max(...sizes)).toBeLessThan(128);
    const [items, time] = sizes.reduce(([n, t], cost) => [n + cost, t + ms(cost)], [0, 0]);
    expect(time / items).toBeLessThan(1.15 * (ms(32) / 32));
  });

  it.each<[string, (n: number) => number, number]>([
    ['mostly overhead', (n) => 2.2 + 0.2 * n, 0.97],
    ['little overhead', (n) => 0.65 + n, 0.95],
    ['hardly any overhead', (n) => 0.1 + n, 0.95],
    ['caches that overflow', (n) => (n <= 16 ? 1 + n : 1.3 * n), 0.9],
  ])('is near the best fixed size of a noisy machine: %s', (_name, ms, share) => {
    const rates = Array.from({ length: 15 }, (_, seed) => {
      const random = uniform(seed);
      const size = sized({ maxBatch: 128 });
      // Disturbances only ever add, by 5 % in the mean.
      const sizes = sizesOf(size, { ms: (n) => ms(n) * (1 - 0.05 * Math.log(1 - random())) }, 300).slice(20);
      const [items, time] = sizes.reduce(([n, t], cost) => [n + cost, t + ms(cost)], [0, 0]);
      const best = Math.min(...[1, 2, 4, 8, 16, 32, 64, 128].map((n) => ms(n) / n));
      return best / (time / items);
    });
    expect(median(rates)).toBeGreaterThan(share);
  });

  it('begins with one and keeps within the latency', () => {
    const size = sized({ maxLatencyMs: 20 });
    const sizes = sizesOf(size, { ms: (n) => 5 + 0.5 * n }, 40);
    expect(sizes.slice(0, 3)).toEqual([1, 2, 4]);
    expect(sizes.slice(5).every((n) => 5 + 0.5 * n <= 20)).toBe(true);
    expect(sizes.at(-1)).toBe(24); // 85 % of 20 ms
    expect(size.next(1, endless).bound).toBe('latency');
  });

  it('halves where the latency is breached and grows by one from there', () => {
    const size = sized({ maxLatencyMs: 100, maxBatch: 64 });
    let factor = 1;
    const machine = { ms: (n: number) => factor * (50 + n / 10) };
    sizesOf(size, machine, 8);
    expect(size.next(1, endless).cost).toBe(64);
    factor = 3;
    const [, second] = sizesOf(size, machine, 2);
    expect(second).toBe(32);
    factor = 1;
    // What was slow is remembered in the curve for some batches; the latency binds until it is gone.
    const back = sizesOf(size, machine, 60);
    for (const [i, cost] of back.slice(1).entries()) expect(cost - (back[i] ?? 0)).toBeLessThanOrEqual(1);
  });

  it('never goes below minBatch for speed or latency', () => {
    expect(sizesOf(sized({ minBatch: 4 }), { ms: (n) => 3 * n }, 12).at(-1)).toBe(4);
    const slow = sizesOf(sized({ minBatch: 4, maxLatencyMs: 1 }), { ms: (n) => 30 * n }, 12);
    expect(new Set(slow)).toEqual(new Set([4]));
  });

  it('goes below minBatch for memory', () => {
    const size = sized({ minBatch: 16 });
    expect(size.next(1, { ...endless, items: 3 })).toEqual({ cost: 3, bound: 'memory' });
    size.refused(16);
    expect(size.next(1, endless)).toEqual({ cost: 8, bound: 'refused' });
  });

  it('keeps within the bytes that a run may take', () => {
    const room = { ...endless, bytes: 1000 };
    const size = sized();
    const sizes = sizesOf(size, { ms: (n) => 100 + n, bytes: (n) => 200 + 10 * n, room }, 14);
    expect(Math.abs((sizes.at(-1) ?? 0) - 80)).toBeLessThanOrEqual(1);
    expect(size.next(1, room).bound).toBe('memory');
    // Less is free now; what is known is used at once, and one item is always tried.
    expect(size.next(1, { ...endless, bytes: 400 }).cost).toBeCloseTo(20, 2);
    expect(size.next(1, { ...endless, bytes: 10 }).cost).toBe(1);
  });

  it('counts in tokens where lengths vary', () => {
    const size = sized();
    expect(size.next(30, endless).cost).toBe(240);
    expect(size.next(30, { ...endless, tokens: 100 })).toEqual({ cost: 100, bound: 'tokens' });
    expect(size.next(500, { ...endless, tokens: 100 }).cost).toBe(500);
  });

  it('does not grow by batches that were not full', () => {
    const size = sized();
    for (let i = 0; i < 5; i++) size.ran({ cost: 2, unit: 1, ms: 100, bytes: undefined });
    expect(size.next(1, endless).cost).toBe(8);
  });
});

describe('ceiling', () => {
  it('halves, is tried again by one after a while, and falls back to what went through', () => {
    const ceiling = new Ceiling();
    ceiling.refused(64);
    expect(ceiling.cost).toBe(32);
    for (let i = 0; i < 63; i++) ceiling.ran(32, 1);
    expect(ceiling.cost).toBe(32);
    ceiling.ran(32, 1);
    expect(ceiling.cost).toBe(33);
    ceiling.refused(33);
    expect(ceiling.cost).toBe(32);
    ceiling.refused(32);
    expect(ceiling.cost).toBe(16);
  });

  it('is as high as what went through once memory had been given back', () => {
    const ceiling = new Ceiling();
    ceiling.refused(64);
    ceiling.ran(64, 1);
    expect(ceiling.cost).toBe(64);
  });

  it('goes on rising while what it lets through is not refused', () => {
    const ceiling = new Ceiling();
    ceiling.refused(8);
    for (let i = 0; i < 64 + 3; i++) ceiling.ran(Math.floor(ceiling.cost), 1);
    expect(ceiling.cost).toBe(8);
  });
});
