import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pack } from '../../src/batch/packing.js';

const limits = { items: 16, tokens: 10_000, padding: 0.1 };

describe('packing', () => {
  it('takes neighbours in length of the first', () => {
    expect(pack([50, 10, 51, 200, 49, 50], limits)).toEqual([0, 2, 4, 5]);
  });

  it('takes the first alone where nobody is like it', () => {
    expect(pack([50, 10, 200], limits)).toEqual([0]);
  });

  it('takes the first however long it is', () => {
    expect(pack([500, 500], { ...limits, tokens: 100 })).toEqual([0]);
  });

  it('keeps those of one length in their order', () => {
    expect(pack(new Array(40).fill(7), limits)).toEqual(Array.from({ length: 16 }, (_, i) => i));
  });

  it('always takes the first, never breaks a limit, and is as good as trying everything', () => {
    const lengths = fc.array(fc.integer({ min: 0, max: 60 }), { minLength: 1, maxLength: 24 });
    const bounds = fc.record({
      items: fc.integer({ min: 1, max: 10 }),
      tokens: fc.integer({ min: 1, max: 400 }),
      padding: fc.constantFrom(0, 0.1, 0.5),
    });
    fc.assert(
      fc.property(lengths, bounds, (given, bound) => {
        const places = pack(given, bound);
        expect(places[0]).toBe(0);
        expect(new Set(places).size).toBe(places.length);
        const own = sum(places.map((place) => given[place] as number));
        const fed = places.length * Math.max(...places.map((place) => given[place] as number));
        if (places.length > 1) {
          expect(places.length).toBeLessThanOrEqual(bound.items);
          expect(fed).toBeLessThanOrEqual(bound.tokens);
          expect(own).toBeGreaterThanOrEqual((1 - bound.padding) * fed);
        }
        expect(own).toBe(bestOf(given, bound));
      }),
    );
  });
});

/** The most tokens that any run of neighbours in length with a first in it has. */
function bestOf(lengths: number[], { items, tokens, padding }: typeof limits): number {
  const order = lengths.map((length, place) => ({ length, place }));
  order.sort((a, b) => a.length - b.length || a.place - b.place);
  let best = lengths[0] as number;
  for (let from = 0; from < order.length; from++)
    for (let to = from; to < order.length && to - from < items; to++) {
      const run = order.slice(from, to + 1);
      const own = sum(run.map(({ length }) => length));
      const fed = run.length * (run.at(-1)?.length ?? 0);
      const fits = run.length === 1 || (fed <= tokens && own >= (1 - padding) * fed);
      if (fits && run.some(({ place }) => place === 0)) best = Math.max(best, own);
    }
  return best;
}

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
}
