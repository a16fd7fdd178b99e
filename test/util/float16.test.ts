import { describe, expect, it } from 'vitest';
import { fromFloat16, toFloat16 } from '../../src/util/float16.js';

describe('float16', () => {
  it.each([
    [0, 0],
    [-0, 0x8000],
    [1, 0x3c00],
    [-2, 0xc000],
    [65504, 0x7bff],
    [65519, 0x7bff],
    [65520, 0x7c00],
    [Number.NEGATIVE_INFINITY, 0xfc00],
    [Number.NaN, 0x7e00],
    [2 ** -14, 0x0400],
    [2 ** -24, 1],
    [2 ** -25, 0],
    [1 + 2 ** -11, 0x3c00],
    [1 + 3 * 2 ** -11, 0x3c02],
    [2 - 2 ** -12, 0x4000],
    [1 / 3, 0x3555],
  ])('writes %d as the bits of the nearest half, ties to even', (value, bits) => {
    expect(toFloat16(value)).toBe(bits);
  });

  it('reads every half back as it was written', () => {
    for (let bits = 0; bits < 2 ** 16; bits++) {
      const value = fromFloat16(bits);
      if (Number.isNaN(value)) expect(bits & 0x7fff).toBeGreaterThan(0x7c00);
      else if (toFloat16(value) !== bits) expect.fail(`${bits} became ${toFloat16(value)}`);
    }
  });
});
