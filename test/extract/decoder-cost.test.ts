import { describe, expect, it } from 'vitest';
import { type DecoderTraits, decoderCost } from '../../src/extract/decoder-cost.js';

describe('decoderCost', () => {
  const jpeg: DecoderTraits = {
    format: 'jpeg',
    width: 4000,
    height: 3000,
    channels: 3,
    sampleBytes: 1,
    alpha: false,
    cmyk: false,
    profile: false,
    progressive: false,
    codedSamples: 1.5,
    lossless: false,
    framePixels: 0,
    extraRows: 0,
    tile: undefined,
    codedBytes: 0,
    mappedBytes: 2 ** 22,
  };
  const pixels = jpeg.width * jpeg.height;
  const cost = (change: Partial<DecoderTraits>) => decoderCost({ ...jpeg, ...change });

  it('does not grow with the pixels of a baseline JPEG, which is shrunk while it is decoded', () => {
    expect(cost({ width: 8000, height: 6000 })).toBeLessThan(2 * cost({}));
  });

  it('grows with the target: fewer pixels are dropped while decoding, and more are kept', () => {
    const to = (side: number) => decoderCost(jpeg, { width: side, height: side });
    expect(to(256)).toBe(cost({}));
    expect(to(224)).toBeLessThanOrEqual(to(256));
    expect(to(512)).toBeGreaterThan(to(256));
    expect(to(1024) - to(512)).toBeGreaterThan((1024 ** 2 - 512 ** 2) * 3);
  });

  it('holds all coefficients of a progressive JPEG, as many as its chroma has', () => {
    const extra = (codedSamples: number) => cost({ progressive: true, codedSamples }) - cost({});
    expect(extra(1.5)).toBeGreaterThanOrEqual(pixels * 3);
    expect(extra(3)).toBeGreaterThanOrEqual(pixels * 6);
  });

  it('does not grow with the height of a PNG unless it is interlaced', () => {
    const png = { format: 'png', height: 6000 } as const;
    expect(cost({ ...png, height: 12_000 })).toBe(cost(png));
    expect(cost({ ...png, progressive: true })).toBeGreaterThan(4000 * 6000 * 3);
  });

  it('counts the canvas of a WebP where clearing it touches it, not where it is mapped', () => {
    const webp = { format: 'webp', width: 2000, height: 1500 } as const;
    const touched = cost({ ...webp, mappedBytes: 2 ** 25 }) - cost(webp);
    expect(touched).toBeGreaterThan(2000 * 1500 * 4);
  });

  it('counts a few tiles of a grid rather than the whole', () => {
    const avif = { format: 'avif' } as const;
    expect(cost({ ...avif, tile: { width: 512, height: 512 } })).toBeLessThan(cost(avif) / 1.5);
    expect(cost({ ...avif, sampleBytes: 2 })).toBeGreaterThan(cost(avif) + pixels * 2);
    expect(cost({ ...avif, codedBytes: 5e6 })).toBeGreaterThan(cost(avif) + 5e6);
  });
});
