import { describe, expect, it } from 'vitest';
import { ValueBytes } from '../../src/cache/value-bytes.js';

const of = (value: unknown) => new ValueBytes().of(value);

describe('the bytes of a value', () => {
  it('are those of its characters, as V8 stores them', () => {
    const one = of('x'.repeat(10_000));
    expect(one).toBeGreaterThanOrEqual(10_000);
    expect(one).toBeLessThan(10_100);
    expect(of('é'.repeat(10_000))).toBe(one);
    expect(of('…'.repeat(10_000)) - one).toBe(10_000);
  });

  it('are those of the whole buffer that a view keeps alive, but for the pool of small ones', () => {
    expect(of(new Uint8Array(100_000))).toBe(100_200);
    expect(of(new Uint8Array(100_000).subarray(0, 10))).toBe(100_200);
    expect(of(new Float64Array(1000).buffer)).toBe(8200);
    expect(of(Buffer.from('small'))).toBe(205);
  });

  it('follow what an object holds', () => {
    const small = of({ path: 'a.jpg', width: 4000 });
    expect(small).toBeGreaterThan(20);
    expect(small).toBeLessThan(200);
    const picture = of({ path: 'a.jpg', pixels: new Uint8Array(50_000) });
    expect(picture).toBeGreaterThan(50_200);
    expect(picture).toBeLessThan(50_400);
    expect(of(new Map([['a', 'b'.repeat(1000)]]))).toBeGreaterThan(1000);
  });

  it('are sampled where the objects of a class are large', () => {
    class Large {
      text: string;
      constructor(length: number) {
        this.text = 'x'.repeat(length);
      }
    }
    const bytes = new ValueBytes();
    const first = bytes.of(new Large(100_000));
    expect(first).toBeGreaterThan(100_000);
    // The next fifteen count as the first; then one is measured again.
    for (let i = 0; i < 15; i++) expect(bytes.of(new Large(300_000))).toBe(first);
    expect(bytes.of(new Large(300_000))).toBeGreaterThan(2.5 * first);
    const mean = bytes.of(new Large(300_000));
    expect(mean).toBeGreaterThan(first);
    expect(mean).toBeLessThan(2 * first);
  });

  it('are 1 kB where nobody knows', () => {
    const bytes = new ValueBytes();
    expect(bytes.of(() => 1)).toBe(1024);
    expect(bytes.of({ handle: Promise.resolve() })).toBe(1024);
    expect(bytes.of(Object.create(null))).toBeLessThan(100);
    expect(bytes.unknown).toBe(2);
  });

  it('are few for what is no object', () => {
    for (const value of [1, true, null, 10n, Symbol('s')]) expect(of(value)).toBe(16);
  });
});
