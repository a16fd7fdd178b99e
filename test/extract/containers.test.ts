// What the headers of JPEG, WebP and HEIF tell about decoding, and that broken ones are never an exception.
import sharp, { type Sharp } from 'sharp';
import { describe, expect, it } from 'vitest';
import { makeImage } from '../../scripts/measure-decoders/images.mjs';
import { writeJpeg } from '../../scripts/measure-decoders/writers/jpeg.mjs';
import { readHeif } from '../../src/extract/heif.js';
import { readJpeg } from '../../src/extract/jpeg.js';
import { readWebp } from '../../src/extract/webp.js';

const size = { width: 64, height: 48 };

function scene(channels: 3 | 4 = 3) {
  const background = { r: 200, g: 80, b: 20, alpha: 0.5 };
  return sharp({ create: { ...size, channels, background } });
}

/** The bytes with every third one changed, in turn, and cut after each of them. */
function* broken(bytes: Buffer): Generator<Buffer> {
  for (let at = 4; at < Math.min(bytes.length, 600); at++) {
    yield bytes.subarray(0, at);
    const changed = Buffer.from(bytes);
    changed[at] = ~(changed[at] as number) & 255;
    yield changed;
  }
}

describe('readJpeg', () => {
  it.each([
    [
      '4:4:4',
      3,
      [
        [1, 1],
        [1, 1],
        [1, 1],
      ],
    ],
    [
      '4:2:2',
      2,
      [
        [2, 1],
        [1, 1],
        [1, 1],
      ],
    ],
    [
      '4:2:0',
      1.5,
      [
        [2, 2],
        [1, 1],
        [1, 1],
      ],
    ],
    [
      '4:1:1',
      1.5,
      [
        [4, 1],
        [1, 1],
        [1, 1],
      ],
    ],
    [
      'CMYK',
      4,
      [
        [1, 1],
        [1, 1],
        [1, 1],
        [1, 1],
      ],
    ],
  ] as const)('counts the samples of a pixel: %s', (_name, samplesPerPixel, sampling) => {
    expect(readJpeg(writeJpeg({ ...size, sampling }))).toEqual({
      precision: 8,
      samplesPerPixel,
      lossless: false,
    });
  });

  it('tells precision and predictive coding, past other segments', async () => {
    const sampling = [[1, 1]] as const;
    expect(readJpeg(writeJpeg({ ...size, sampling, precision: 12 }))?.precision).toBe(12);
    expect(readJpeg(writeJpeg({ ...size, sampling, lossless: true }))?.lossless).toBe(true);
    const profiled = await scene().withIccProfile('p3').jpeg().toBuffer();
    expect(readJpeg(profiled)?.samplesPerPixel).toBe(1.5);
  });

  it('survives what is broken', () => {
    for (const bytes of broken(writeJpeg({ ...size, sampling: [[1, 1]] })))
      expect(() => readJpeg(bytes)).not.toThrow();
  });
});

describe('readWebp', () => {
  it('tells lossless pixels, with metadata too, but not lossless transparency', async () => {
    const read = async (image: Sharp) => readWebp(await image.toBuffer());
    const lossy = { lossless: false, framePixels: 0 };
    expect(await read(scene().webp())).toEqual(lossy);
    expect(await read(scene(4).webp())).toEqual(lossy);
    expect(await read(scene().withIccProfile('p3').webp())).toEqual(lossy);
    expect(await read(scene().webp({ lossless: true }))).toEqual({ ...lossy, lossless: true });
    expect(await read(scene(4).withIccProfile('p3').webp({ lossless: true }))).toMatchObject({
      lossless: true,
    });
  });

  it('tells the first frame of an animation with frames smaller than its canvas', async () => {
    expect(readWebp(await makeImage('webp animated, small frames', 300, 200))).toEqual({
      lossless: false,
      framePixels: 64 * 64,
    });
  });

  it('survives what is broken', async () => {
    for (const bytes of broken(await makeImage('webp animated', 80, 60)))
      expect(() => readWebp(bytes)).not.toThrow();
  });
});

describe('readHeif', () => {
  it('tells codec, samples of a pixel, and tiles of a grid', async () => {
    const full = await scene().avif({ effort: 0, chromaSubsampling: '4:4:4' }).toBuffer();
    expect(readHeif(full)).toEqual({ codec: 'av01', samplesPerPixel: 3, tile: undefined });
    const half = await scene(4).avif({ effort: 0, chromaSubsampling: '4:2:0' }).toBuffer();
    expect(readHeif(half)).toEqual({ codec: 'av01', samplesPerPixel: 1.5, tile: undefined });
    expect(readHeif(await makeImage('avif grid of 512', 1000, 700))).toEqual({
      codec: 'av01',
      samplesPerPixel: 1.5,
      tile: { width: 512, height: 512 },
    });
  });

  it('gives nothing where it finds no image', () => {
    expect(readHeif(new Uint8Array())).toBeUndefined();
    expect(readHeif(Buffer.from('\0\0\0\x10ftypavif\0\0\0\0', 'latin1'))).toBeUndefined();
  });

  it('survives what is broken', async () => {
    for (const bytes of broken(await makeImage('avif grid of 512', 600, 100)))
      expect(() => readHeif(bytes)).not.toThrow();
  });
});
