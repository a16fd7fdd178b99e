import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { describe, expect, it, vi } from 'vitest';
import { makeImage } from '../../scripts/measure-decoders/images.mjs';
import { writeTiff } from '../../scripts/measure-decoders/writers/tiff.mjs';
import { decodeImage, openImage } from '../../src/extract/image.js';
import { makePhotos, makeScene } from '../support/photos.js';

const SIDE = 256;

const pixelsOfScene = makeScene(3);

/** A picture that no flip or turn maps onto itself. */
async function scene(width = 320, height = 240): Promise<Sharp> {
  const image = sharp(await pixelsOfScene, { raw: { width: 1600, height: 1200, channels: 3 } });
  return sharp(await image.resize(width, height, { fit: 'fill' }).raw().toBuffer(), {
    raw: { width, height, channels: 3 },
  });
}

async function decode(bytes: Uint8Array) {
  const header = await openImage(bytes);
  return { header, ...(await decodeImage(bytes, header)) };
}

/** Mean and largest difference between two pictures, in levels. */
function difference(a: Uint8Array, b: Uint8Array): { mean: number; largest: number } {
  let sum = 0;
  let largest = 0;
  a.forEach((value, i) => {
    const step = Math.abs(value - (b[i] as number));
    sum += step;
    largest = Math.max(largest, step);
  });
  return { mean: sum / a.length, largest };
}

describe('openImage', () => {
  it('tells format, size and traits of every format', async () => {
    const image = await scene();
    const alpha = image.clone().ensureAlpha(0.5);
    const headers = await Promise.all(
      [
        image.clone().jpeg({ progressive: true }),
        image.clone().png(),
        alpha.clone().toColourspace('rgb16').png({ progressive: true }),
        image.clone().webp(),
        alpha.clone().webp({ lossless: true }),
        image.clone().gif(),
        image.clone().tiff(),
        image.clone().avif({ effort: 0 }),
      ].map(async (encoded) => openImage(await encoded.toBuffer())),
    );
    const size = { width: 320, height: 240, orientation: 1 };
    expect(headers).toMatchObject([
      { ...size, format: 'jpeg', channels: 3, progressive: true, codedSamples: 1.5 },
      { ...size, format: 'png', channels: 3, sampleBytes: 1, progressive: false },
      { ...size, format: 'png', channels: 4, sampleBytes: 2, progressive: true },
      { ...size, format: 'webp', lossless: false },
      { ...size, format: 'webp', channels: 4, lossless: true },
      { ...size, format: 'gif' },
      { ...size, format: 'tiff', channels: 3 },
      { ...size, format: 'avif', channels: 3 },
    ]);
    for (const { costBytes } of headers) expect(costBytes).toBeGreaterThan(320 * 240 * 3);
  });

  it('tells the size as displayed', async () => {
    const bytes = await (await scene()).withMetadata({ orientation: 6 }).jpeg().toBuffer();
    expect(await openImage(bytes)).toMatchObject({ width: 240, height: 320, orientation: 6 });
  });

  it('refuses too many pixels by the header alone, naming both numbers', async () => {
    const bytes = await (await scene()).png().toBuffer();
    await expect(openImage(bytes.subarray(0, 200), { maxPixels: 76_799 })).rejects.toMatchObject({
      code: 'ERR_PIXEL_LIMIT',
      message: 'expected an image of at most 76799 pixels but it has 76800 (320 × 240)',
    });
    await expect(openImage(bytes, { maxPixels: 76_800 })).resolves.toMatchObject({ width: 320 });
  });

  it('refuses what is no image by its first bytes, and names formats that are known', async () => {
    const refuses = async (bytes: Uint8Array | string, what: string) =>
      expect(
        openImage(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes),
      ).rejects.toMatchObject({
        code: 'ERR_DECODE',
        message: `expected a JPEG, PNG, WebP, GIF, TIFF or AVIF image but received ${what}`,
      });
    await refuses('just some text, no image', 'text that starts with "just some text, "');
    await refuses('', 'an empty file');
    await refuses(Uint8Array.of(0, 1, 2, 255), 'bytes that start with 000102ff');
    await refuses('<svg width="9">', 'an SVG drawing');
    await refuses('<?xml version="1.0"?>\n<!-- drawn by hand -->\n<svg>', 'an SVG drawing');
    await refuses('%PDF-1.7', 'a PDF document');
    await refuses('\0\0\0\x0cJXL \r\n\x87\n', 'a JPEG XL image');
    await refuses('\0\0\0\x0cjP  \r\n\x87\n', 'a JPEG 2000 image');
    await refuses('BM\x46\0\0\0\0\0\0\0\x36\0\0\0', 'a BMP image');
    await refuses('P6\n1 1\n255\n', 'a Netpbm image');
  });

  it.each([
    ['jpeg 12-bit', 'expected a JPEG image of 8 bits a sample but it has 12'],
    ['tiff 10 samples', 'expected a TIFF image of at most 5 channels but it has 10'],
  ])('refuses a mode that sharp does not decode: %s', async (kind, message) => {
    await expect(makeImage(kind, 64, 48).then(decode)).rejects.toMatchObject({ code: 'ERR_DECODE', message });
  });

  it('refuses other codecs in HEIF and TIFF and sequences, by name', async () => {
    const avif = await (await scene(64, 48)).avif({ effort: 0 }).toBuffer();
    const heic = Buffer.from(
      avif.toString('latin1').replace('ftypavif', 'ftypheic').replace('av01', 'hvc1'),
      'latin1',
    );
    await expect(openImage(heic)).rejects.toMatchObject({
      code: 'ERR_DECODE',
      message: 'expected AV1, the codec of HEIF and AVIF images that sharp decodes, but received HEVC',
    });
    const sequence = Buffer.from(avif.toString('latin1').replace('ftypavif', 'ftypavis'), 'latin1');
    await expect(openImage(sequence)).rejects.toMatchObject({
      code: 'ERR_DECODE',
      message: 'expected a still image but received a sequence of AVIF images',
    });
    const tiff = writeTiff({ width: 64, height: 48, rows: 48 });
    const compression = tiff.indexOf(Buffer.of(3, 1, 3, 0, 1, 0, 0, 0, 8, 0));
    tiff.writeUInt16LE(50_000, compression + 8);
    await expect(decode(tiff)).rejects.toMatchObject({
      code: 'ERR_DECODE',
      message: 'expected a TIFF image in a compression that sharp reads but it is Zstandard',
    });
  });

  it('refuses a broken header in one line', async () => {
    const bytes = Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), Buffer.alloc(60, 7)]);
    const error = await openImage(bytes).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'ERR_DECODE' });
    expect((error as Error).message).toBe('expected a whole png image but its data is broken or cut short');
  });
});

describe('decodeImage', () => {
  it('gives RGB bytes of 256 × 256 for every depth and colour space, close to the original', async () => {
    const image = await scene();
    const expected = await image.clone().resize(SIDE, SIDE, { fit: 'fill' }).raw().toBuffer();
    const luma = await image.clone().greyscale().resize(SIDE, SIDE, { fit: 'fill' }).raw().toBuffer();
    const grey = Buffer.alloc(SIDE * SIDE * 3, 0).map((_, i) => luma[Math.floor(i / 3)] as number);
    const kinds: [string, Sharp, Uint8Array, number][] = [
      ['jpeg', image.clone().jpeg({ quality: 95 }), expected, 5],
      ['16-bit', image.clone().toColourspace('rgb16').png(), expected, 1],
      ['grey', image.clone().toColourspace('b-w').png(), grey, 1],
      ['cmyk', image.clone().toColourspace('cmyk').jpeg({ quality: 95 }), expected, 20],
      ['display p3', image.clone().withIccProfile('p3').png(), expected, 2],
      ['sRGB profile', image.clone().withIccProfile('srgb').png(), expected, 0.01],
      ['avif', image.clone().avif({ quality: 90, effort: 0 }), expected, 3],
      ['tiff', image.clone().tiff({ compression: 'lzw' }), expected, 0.01],
    ];
    for (const [kind, encoded, original, mean] of kinds) {
      const { pixels } = await decode(await encoded.toBuffer());
      expect(pixels.length, kind).toBe(SIDE * SIDE * 3);
      expect(difference(pixels, original).mean, kind).toBeLessThanOrEqual(mean);
    }
  });

  it('puts transparent images on white', async () => {
    const clear = sharp({
      create: { width: 20, height: 20, channels: 4, background: { r: 200, g: 0, b: 0, alpha: 0 } },
    });
    const { pixels } = await decode(await clear.png().toBuffer());
    expect(pixels.every((value) => value === 255)).toBe(true);
  });

  it('takes the first frame of an animation', async () => {
    const frame = (background: string) =>
      sharp({ create: { width: 16, height: 16, channels: 3, background } })
        .png()
        .toBuffer();
    const frames = [await frame('red'), await frame('blue')];
    const { header, pixels } = await decode(
      await sharp(frames, { join: { animated: true } })
        .gif()
        .toBuffer(),
    );
    expect(header).toMatchObject({ width: 16, height: 16 });
    expect([...pixels.subarray(0, 3)]).toEqual([255, 0, 0]);
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('stands orientation %i upright as sharp does', async (orientation) => {
    const bytes = await (await scene(640, 480)).withMetadata({ orientation }).png().toBuffer();
    const { pixels, header } = await decode(bytes);
    const { data, info } = await sharp(bytes).autoOrient().raw().toBuffer({ resolveWithObject: true });
    expect([header.width, header.height]).toEqual([info.width, info.height]);
    const upright = await sharp(data, { raw: info }).resize(SIDE, SIDE, { fit: 'fill' }).raw().toBuffer();
    // Rows and columns are rounded in another order, which is a level or two where it differs at all.
    expect(difference(pixels, upright).mean).toBeLessThan(0.5);
    expect(difference(pixels, upright).largest).toBeLessThanOrEqual(4);
  });

  it.each(
    [1, 2, 3, 4, 5, 6, 7, 8].flatMap((orientation) =>
      (['cover', 'contain', 'fill'] as const).map((fit) => [orientation, fit] as const),
    ),
  )('fits orientation %i to a target that is no square by %s, as sharp does', async (orientation, fit) => {
    const bytes = await (await scene(640, 320)).withMetadata({ orientation }).png().toBuffer();
    // What is cut off or added is even on all sides; were it odd, a turned middle would lie a pixel off.
    const target = { width: 160, height: 64, fit };
    const { pixels } = await decodeImage(bytes, await openImage(bytes, { target }));
    const { data, info } = await sharp(bytes).autoOrient().raw().toBuffer({ resolveWithObject: true });
    const expected = await sharp(data, { raw: info })
      .resize(160, 64, { fit, background: '#000' })
      .raw()
      .toBuffer();
    expect(pixels.length).toBe(160 * 64 * 3);
    expect(difference(pixels, expected).mean).toBeLessThan(0.5);
  });

  it('puts black beside a photo that is not to be cut, whatever its colours', async () => {
    const image = await scene(640, 480);
    const target = { width: 96, height: 48, fit: 'contain' as const };
    for (const kind of [
      image.clone().jpeg(),
      image.clone().toColourspace('b-w').png(),
      image.clone().toColourspace('rgb16').ensureAlpha(0.5).png(),
      image.clone().toColourspace('cmyk').jpeg(),
    ]) {
      const bytes = await kind.toBuffer();
      const { pixels } = await decodeImage(bytes, await openImage(bytes, { target }));
      expect([...pixels.subarray(0, 3)]).toEqual([0, 0, 0]);
      expect([...pixels.subarray(-3)]).toEqual([0, 0, 0]);
    }
  });

  it('refuses pixel data that is cut short, of every format', async () => {
    const image = await scene();
    for (const encoded of [
      image.clone().jpeg(),
      image.clone().png(),
      image.clone().webp(),
      image.clone().avif({ effort: 0 }),
    ]) {
      const bytes = await encoded.toBuffer();
      const cut = bytes.subarray(0, Math.floor(bytes.length * 0.6));
      const error = await decode(cut).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ name: 'SpillwayError', code: 'ERR_DECODE' });
      expect((error as Error).message).not.toContain('\n');
    }
  });

  it('gives the same pixels when many are decoded at once', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'decode-'));
    try {
      const [path = ''] = await makePhotos(folder, 1);
      const bytes = readFileSync(path);
      const { pixels } = await decode(bytes);
      const many = await Promise.all(Array.from({ length: 12 }, () => decode(bytes)));
      for (const other of many) expect(Buffer.compare(other.pixels, pixels)).toBe(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('reads the samples: EXIF in one, two broken ones, the others sound', async () => {
    const folder = join(import.meta.dirname, '..', '..', 'samples');
    expect(existsSync(folder)).toBe(true);
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
      /\.\w+$/.test(name),
    );
    const outcomes = new Map<string, unknown>();
    for (const name of files)
      outcomes.set(
        name,
        await decode(readFileSync(join(folder, name))).then(
          ({ metadata }) => metadata,
          (error: { code: string }) => error.code,
        ),
      );
    expect(Object.fromEntries(outcomes)).toMatchObject({
      'portrait-with-gps.jpg': {
        exif: {
          date: '2026-05-17T18:42:10+02:00',
          camera: { make: 'Spillway', model: 'Sample 1' },
          lens: '35mm f/2',
          gps: { latitude: 48.8582, longitude: 2.2945, altitude: 35 },
        },
      },
      'broken/truncated.jpg': 'ERR_DECODE',
      'broken/not-a-photo.jpg': 'ERR_DECODE',
    });
    expect([...outcomes.values()].filter((outcome) => outcome === 'ERR_DECODE')).toHaveLength(2);
  });
});

describe('without sharp', () => {
  it('names the package and how to install it', async () => {
    vi.resetModules();
    vi.doMock('sharp', () => {
      throw new Error('Cannot find package');
    });
    const { openImage: open } = await import('../../src/extract/image.js');
    await expect(open(Uint8Array.of(0xff, 0xd8, 0xff))).rejects.toMatchObject({
      code: 'ERR_MISSING_DEPENDENCY',
      message: expect.stringContaining('npm install sharp'),
    });
    vi.doUnmock('sharp');
  });
});
