import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import sharp, { type Sharp } from 'sharp';
import { describe, expect, it } from 'vitest';
import { DEFAULT_MAX_DISTANCE } from '../../src/workloads/near-duplicates.js';
import { photoData, photoFeatures } from '../../src/workloads/photo-features.js';
import { makeScene } from '../support/photos.js';

const MODEL = join(import.meta.dirname, '..', '..', 'models', 'photo-features.onnx');
const SIDE = 256;
const BYTES = SIDE * SIDE * 3;

type Paint = (x: number, y: number) => readonly [number, number, number];

function paint(pixel: Paint): Uint8Array {
  const pixels = new Uint8Array(BYTES);
  for (let y = 0; y < SIDE; y++) for (let x = 0; x < SIDE; x++) pixels.set(pixel(x, y), (y * SIDE + x) * 3);
  return pixels;
}

/** Pictures of different kinds; the noise is Weyl's sequence, so that it is the same everywhere. */
const pictures = {
  noise: paint(
    (x, y) => [1, 2, 3].map((k) => ((x * 7919 + y * 104_729) * k * 0.618034 * 256) & 255) as never,
  ),
  ramp: paint((x, y) => [x, y, 255 - x]),
  waves: paint((x, y) => [128 + 90 * Math.sin(x / 9), 128 + 90 * Math.cos(y / 17), (x * y) & 255]),
  checks: paint((x, y) => (((x >> 4) + (y >> 5)) % 3 ? [240, 200, 10] : [0, 30, 60])),
  flat: paint(() => [90, 90, 90]),
  white: paint(() => [255, 255, 255]),
  black: paint(() => [0, 0, 0]),
  edge: paint((x) => (x < 100 ? [0, 0, 0] : [255, 255, 255])),
} satisfies Record<string, Uint8Array>;

async function run(images: readonly Uint8Array[], threads = 1) {
  const session = await ort.InferenceSession.create(MODEL, { intraOpNumThreads: threads });
  const pixels = new Uint8Array(images.length * BYTES);
  images.forEach((image, i) => {
    pixels.set(image, i * BYTES);
  });
  const results = await session.run({
    pixels: new ort.Tensor('uint8', pixels, [images.length, SIDE, SIDE, 3]),
  });
  await session.release();
  return {
    dct: results.dct?.data as Float64Array,
    sums: results.sums?.data as Float64Array,
  };
}

async function featuresOf(image: Uint8Array) {
  const { dct, sums } = await run([image]);
  return photoFeatures(dct, sums);
}

/** The graph's sums by their definition, one pixel after another. */
function sumsByDefinition(pixels: Uint8Array): number[] {
  const at = (x: number, y: number, c: number) => pixels[(y * SIDE + x) * 3 + c] as number;
  const luma = (x: number, y: number) => 19 * at(x, y, 0) + 38 * at(x, y, 1) + 7 * at(x, y, 2);
  const sums = new Array<number>(13).fill(0);
  const add = (i: number, value: number) => {
    sums[i] = (sums[i] as number) + value;
  };
  for (let y = 0; y < SIDE; y++)
    for (let x = 0; x < SIDE; x++) {
      const rgb = [at(x, y, 0), at(x, y, 1), at(x, y, 2)] as const;
      const [r, g, b] = rgb;
      if (x > 0 && y > 0 && x < SIDE - 1 && y < SIDE - 1) {
        const laplacian = 4 * luma(x, y) - luma(x - 1, y) - luma(x + 1, y) - luma(x, y - 1) - luma(x, y + 1);
        add(0, laplacian);
        add(1, laplacian ** 2);
      }
      add(2, luma(x, y) <= 128 ? 1 : 0);
      add(3, luma(x, y) >= 16_192 ? 1 : 0);
      [r, g, b, r * r, r * g, r * b, g * g, g * b, b * b].forEach((value, i) => {
        add(4 + i, value);
      });
    }
  return sums;
}

describe('the graph photo-features', () => {
  it('gives the sums that their definition gives, to the last unit', async () => {
    const images = Object.values(pictures);
    const { sums } = await run(images);
    expect(Array.from(sums)).toEqual(images.flatMap(sumsByDefinition));
  });

  it('gives the same bits for every batch size and thread count', async () => {
    const images = Object.values(pictures);
    const expected = await run(images);
    for (const threads of [1, 2])
      for (const size of [1, 3, 8]) {
        const parts: Awaited<ReturnType<typeof run>>[] = [];
        for (let i = 0; i < images.length; i += size)
          parts.push(await run(images.slice(i, i + size), threads));
        expect(parts.flatMap(({ dct }) => [...dct])).toEqual([...expected.dct]);
        expect(parts.flatMap(({ sums }) => [...sums])).toEqual([...expected.sums]);
      }
  });

  it('stays exact on the brightest picture', async () => {
    const { dct, sums } = await run([pictures.white]);
    expect(dct[0]).toBe(SIDE * SIDE * 64 * 255 * 1024 ** 2);
    expect(Array.from(dct.subarray(1))).toEqual(new Array(63).fill(0));
    expect(sums[12]).toBe(SIDE * SIDE * 255 ** 2);
  });

  it('is what the script writes', async () => {
    const { photoFeatures: encode } = await import('../../scripts/make-model/photo-features.mjs');
    expect(Buffer.compare(encode(), readFileSync(MODEL))).toBe(0);
  });
});

describe('photo features', () => {
  it('has no hash for a flat picture, and no spread', async () => {
    const features = await featuresOf(pictures.flat);
    expect(features.phash).toBeNull();
    expect(features.sharpness).toBe(0);
    expect(features.exposure).toEqual({ mean: 90, deviation: 0, dark: 0, bright: 0 });
    expect(features.colour).toEqual({ mean: [90, 90, 90], deviation: [0, 0, 0], colourfulness: 0 });
  });

  it('counts clipped pixels', async () => {
    expect((await featuresOf(pictures.black)).exposure).toMatchObject({ dark: 1, bright: 0 });
    expect((await featuresOf(pictures.white)).exposure).toMatchObject({ dark: 0, bright: 1 });
    expect((await featuresOf(pictures.edge)).exposure).toMatchObject({ dark: 0.3906, bright: 0.6094 });
  });

  it('measures colourfulness as Hasler and Süsstrunk define it', async () => {
    const pixels = pictures.waves;
    const rg: number[] = [];
    const yb: number[] = [];
    for (let i = 0; i < BYTES; i += 3) {
      const [r, g, b] = pixels.subarray(i, i + 3) as unknown as [number, number, number];
      rg.push(r - g);
      yb.push((r + g) / 2 - b);
    }
    const mean = (v: number[]) => v.reduce((a, b) => a + b) / v.length;
    const spread = (v: number[]) => {
      const m = mean(v);
      return mean(v.map((x) => (x - m) ** 2));
    };
    const expected = Math.sqrt(spread(rg) + spread(yb)) + 0.3 * Math.sqrt(mean(rg) ** 2 + mean(yb) ** 2);
    expect((await featuresOf(pixels)).colour.colourfulness).toBeCloseTo(expected, 3);
  });

  it('calls a blurred photo less sharp and hashes it nearly alike', async () => {
    const scene = sharp(await makeScene(7), { raw: { width: 1600, height: 1200, channels: 3 } });
    const square = (image: Sharp) => image.resize(SIDE, SIDE, { fit: 'fill' }).raw().toBuffer();
    const clear = await featuresOf(await square(scene.clone()));
    const soft = await featuresOf(await square(scene.clone().blur(8)));
    expect(soft.sharpness).toBeLessThan(clear.sharpness / 2);
    expect(distance(clear.phash, soft.phash)).toBeLessThanOrEqual(DEFAULT_MAX_DISTANCE);
    expect(distance(clear.phash, (await featuresOf(pictures.ramp)).phash)).toBeGreaterThan(16);
  });

  it('reads the row that is asked for, and refuses one that is not there', async () => {
    const { dct, sums } = await run([pictures.flat, pictures.edge]);
    expect(photoFeatures(dct, sums, 1)).toEqual(await featuresOf(pictures.edge));
    expect(() => photoFeatures(dct, sums, 2)).toThrow(/index/);
  });

  it('makes a result without the fields that are absent', async () => {
    const header = { format: 'png', width: 2, height: 1, orientation: 1 } as Parameters<typeof photoData>[0];
    const features = await featuresOf(pictures.edge);
    const data = photoData(header, { warnings: [] }, features);
    expect(Object.keys(data)).toEqual([
      'format',
      'width',
      'height',
      'orientation',
      'phash',
      'sharpness',
      'exposure',
      'colour',
    ]);
    expect(photoData(header, { exif: { lens: 'x' }, warnings: ['w'] }, features)).toMatchObject({
      exif: { lens: 'x' },
      warnings: ['w'],
    });
  });
});

function distance(a: string | null, b: string | null): number {
  return (BigInt(`0x${a}`) ^ BigInt(`0x${b}`)).toString(2).replaceAll('0', '').length;
}
