import { describe, expect, it } from 'vitest';
import { fromFloat16 } from '../../src/util/float16.js';
import { type PixelFormat, pixelConverter, tensorBytes } from '../../src/workloads/photo-tensor.js';

/** Two pixels, side by side. */
const RGB = Uint8Array.of(0, 51, 255, 255, 102, 0);
const FORMAT: PixelFormat = {
  type: 'float32',
  layout: 'nchw',
  channels: 3,
  order: 'rgb',
  range: '0..255',
  width: 2,
  height: 1,
};
const convert = (changes: Partial<PixelFormat>) => pixelConverter({ ...FORMAT, ...changes })(RGB);
const values = (changes: Partial<PixelFormat>) => Array.from(convert(changes).data, (value) => value);

describe('pixelConverter', () => {
  it('lays the channels side by side or pixel by pixel', () => {
    expect(convert({})).toEqual({
      type: 'float32',
      dims: [1, 3, 1, 2],
      data: Float32Array.of(0, 255, 51, 102, 255, 0),
    });
    expect(convert({ layout: 'nhwc', type: 'uint8' })).toEqual({
      type: 'uint8',
      dims: [1, 1, 2, 3],
      data: RGB,
    });
  });

  it('turns the colours round', () => {
    expect(values({ order: 'bgr' })).toEqual([255, 0, 51, 102, 0, 255]);
    expect(values({ order: 'bgr', layout: 'nhwc' })).toEqual([255, 51, 0, 0, 102, 255]);
  });

  it('maps the levels to each range', () => {
    expect(values({ type: 'float64', range: '0..1' })).toEqual([0, 1, 0.2, 0.4, 1, 0]);
    expect(values({ type: 'float64', range: '-1..1' })).toEqual([-1, 1, -0.6, -0.19999999999999996, 1, -1]);
    const imagenet = values({ type: 'float64', range: 'imagenet' });
    const expected = [
      -0.485 / 0.229,
      0.515 / 0.229,
      -0.256 / 0.224,
      -0.056 / 0.224,
      0.594 / 0.225,
      -0.406 / 0.225,
    ];
    for (const [i, value] of expected.entries()) expect(imagenet[i]).toBeCloseTo(value, 12);
  });

  it('keeps each colour to its own mean where they are turned round', () => {
    const [blue] = values({ type: 'float64', range: 'imagenet', order: 'bgr' });
    expect(blue).toBeCloseTo(0.594 / 0.225, 12);
  });

  it('writes halves as their bits', () => {
    const { data, type } = convert({ type: 'float16', range: '0..1' });
    expect(type).toBe('float16');
    expect(data).toBeInstanceOf(Uint16Array);
    expect(Array.from(data, fromFloat16)).toEqual([0, 1, 0.199951171875, 0.39990234375, 1, 0]);
  });

  it('gives a graph of one channel the luma', () => {
    // 0.299 R + 0.587 G + 0.114 B, rounded.
    expect(values({ channels: 1 })).toEqual([59, 136]);
    expect(convert({ channels: 1, layout: 'nhwc' }).dims).toEqual([1, 1, 2, 1]);
  });

  it('says how many bytes a tensor takes', () => {
    for (const type of ['float32', 'float64', 'float16', 'uint8'] as const)
      expect(tensorBytes({ ...FORMAT, type })).toBe(convert({ type }).data.byteLength);
  });
});
