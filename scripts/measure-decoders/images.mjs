// Images of every mode of every decoder, for measuring what decoding them costs.

import sharp from 'sharp';
import { writeGrid, writeTurned } from './writers/heif.mjs';
import { writeJpeg } from './writers/jpeg.mjs';
import { writePng } from './writers/png.mjs';
import { writeTiff } from './writers/tiff.mjs';

/**
 * @typedef {{ width: number, height: number }} Size
 * @typedef {import('sharp').Sharp} Sharp
 * @typedef {(image: Sharp) => Sharp} Encode
 */

/** What sharp writes, of soft blotches. @type {Record<string, Encode>} */
const encoded = {
  'jpeg baseline': (image) => image.jpeg({ quality: 85 }),
  'jpeg baseline 4:4:4': (image) => image.jpeg({ quality: 95, chromaSubsampling: '4:4:4' }),
  'jpeg baseline grey': (image) => image.toColourspace('b-w').jpeg({ quality: 85 }),
  'jpeg baseline cmyk': (image) => image.toColourspace('cmyk').jpeg({ quality: 85 }),
  'jpeg baseline P3': (image) => image.withIccProfile('p3').jpeg({ quality: 85 }),
  'jpeg progressive': (image) => image.jpeg({ quality: 85, progressive: true }),
  'jpeg progressive 4:4:4': (image) =>
    image.jpeg({ quality: 95, progressive: true, chromaSubsampling: '4:4:4' }),
  'jpeg progressive grey': (image) => image.toColourspace('b-w').jpeg({ quality: 85, progressive: true }),
  'jpeg progressive cmyk': (image) => image.toColourspace('cmyk').jpeg({ quality: 85, progressive: true }),
  png: (image) => image.png({ compressionLevel: 1 }),
  'png palette': (image) => image.png({ palette: true, effort: 1 }),
  'png alpha': (image) => image.ensureAlpha(0.5).png({ compressionLevel: 1 }),
  'png 16-bit alpha': (image) => image.ensureAlpha(0.5).toColourspace('rgb16').png({ compressionLevel: 1 }),
  'png P3': (image) => image.withIccProfile('p3').png({ compressionLevel: 1 }),
  'png interlaced': (image) => image.png({ compressionLevel: 1, progressive: true }),
  'png interlaced 16-bit alpha': (image) =>
    image.ensureAlpha(0.5).toColourspace('rgb16').png({ compressionLevel: 1, progressive: true }),
  webp: (image) => image.webp({ quality: 80, effort: 0 }),
  'webp alpha': (image) => image.ensureAlpha(0.5).webp({ quality: 80, effort: 0 }),
  'webp lossless': (image) => image.webp({ lossless: true, effort: 0 }),
  'webp lossless alpha': (image) => image.ensureAlpha(0.5).webp({ lossless: true, effort: 0 }),
  'webp P3': (image) => image.withIccProfile('p3').webp({ quality: 80, effort: 0 }),
  gif: (image) => image.gif({ effort: 1, colours: 64 }),
  'gif interlaced': (image) => image.gif({ effort: 1, colours: 64, progressive: true }),
  'tiff strips': (image) => image.tiff({ compression: 'none' }),
  'tiff lzw': (image) => image.tiff({ compression: 'lzw' }),
  'tiff lzw bigtiff': (image) => image.tiff({ compression: 'lzw', bigtiff: true }),
  'tiff jpeg': (image) => image.tiff({ compression: 'jpeg', quality: 85 }),
  'tiff jpeg tiles': (image) => image.tiff({ compression: 'jpeg', quality: 85, tile: true }),
  'tiff webp tiles': (image) => image.tiff({ compression: 'webp', tile: true }),
  'tiff ccitt 1-bit': (image) => image.toColourspace('b-w').tiff({ compression: 'ccittfax4', bitdepth: 1 }),
  'tiff tiles': (image) =>
    image.tiff({ compression: 'deflate', tile: true, tileWidth: 256, tileHeight: 256 }),
  'tiff pyramid': (image) => image.tiff({ compression: 'deflate', tile: true, pyramid: true }),
  'tiff 16-bit alpha': (image) =>
    image.ensureAlpha(0.5).toColourspace('rgb16').tiff({ compression: 'deflate' }),
  'tiff 16-bit alpha tiles': (image) =>
    image.ensureAlpha(0.5).toColourspace('rgb16').tiff({ compression: 'deflate', tile: true }),
  'tiff cmyk': (image) => image.toColourspace('cmyk').tiff({ compression: 'deflate' }),
  'tiff lab': (image) => image.toColourspace('lab').tiff({ compression: 'deflate' }),
  avif: (image) => image.avif({ quality: 50, effort: 0, chromaSubsampling: '4:2:0' }),
  'avif 4:4:4': (image) => image.avif({ quality: 60, effort: 0, chromaSubsampling: '4:4:4' }),
  'avif grey': (image) => image.toColourspace('b-w').avif({ quality: 50, effort: 0 }),
  'avif lossless': (image) => image.avif({ lossless: true, effort: 0 }),
  'avif alpha': (image) => image.ensureAlpha(0.5).avif({ quality: 50, effort: 0 }),
  'avif 4:4:4 alpha': (image) =>
    image.ensureAlpha(0.5).avif({ quality: 60, effort: 0, chromaSubsampling: '4:4:4' }),
  'avif 10-bit': (image) => image.avif({ quality: 50, effort: 0, bitdepth: 10, chromaSubsampling: '4:2:0' }),
  'avif 10-bit 4:4:4': (image) =>
    image.avif({ quality: 60, effort: 0, bitdepth: 10, chromaSubsampling: '4:4:4' }),
  'avif 12-bit': (image) => image.avif({ quality: 50, effort: 0, bitdepth: 12, chromaSubsampling: '4:2:0' }),
  'avif 12-bit alpha': (image) =>
    image.ensureAlpha(0.5).avif({ quality: 60, effort: 0, bitdepth: 12, chromaSubsampling: '4:4:4' }),
};

/** The same of noise, where it could matter: small blocks, long codes, no repetition. @type {Record<string, Encode>} */
const detailed = {
  'jpeg baseline, noise': (image) => image.jpeg({ quality: 98, chromaSubsampling: '4:4:4' }),
  'jpeg progressive, noise': (image) =>
    image.jpeg({ quality: 98, progressive: true, chromaSubsampling: '4:4:4' }),
  'png, noise': (image) => image.png({ compressionLevel: 1 }),
  'webp, noise': (image) => image.webp({ quality: 75, effort: 0 }),
  'webp lossless, noise': (image) => image.webp({ lossless: true, effort: 0 }),
  'gif, noise': (image) => image.gif({ effort: 1 }),
  'tiff lzw, noise': (image) => image.tiff({ compression: 'lzw' }),
  'avif, noise': (image) => image.avif({ quality: 90, effort: 0, chromaSubsampling: '4:2:0' }),
  'avif 4:4:4, noise': (image) => image.avif({ quality: 95, effort: 0, chromaSubsampling: '4:4:4' }),
  'avif alpha, noise': (image) =>
    image.ensureAlpha(0.5).avif({ quality: 90, effort: 0, chromaSubsampling: '4:4:4' }),
  'avif 12-bit alpha, noise': (image) =>
    image.ensureAlpha(0.5).avif({ quality: 90, effort: 0, bitdepth: 12, chromaSubsampling: '4:4:4' }),
};

const C420 = /** @type {const} */ ([
  [2, 2],
  [1, 1],
  [1, 1],
]);
const C422 = /** @type {const} */ ([
  [2, 1],
  [1, 1],
  [1, 1],
]);
const C440 = /** @type {const} */ ([
  [1, 2],
  [1, 1],
  [1, 1],
]);
const C411 = /** @type {const} */ ([
  [4, 1],
  [1, 1],
  [1, 1],
]);
const C444 = /** @type {const} */ ([
  [1, 1],
  [1, 1],
  [1, 1],
]);
const CMYK = /** @type {const} */ ([
  [1, 1],
  [1, 1],
  [1, 1],
  [1, 1],
]);

/** What our own writers make: modes that sharp does not write. @type {Record<string, (size: Size) => Buffer>} */
const written = {
  'jpeg baseline 4:2:2': (size) => writeJpeg({ ...size, sampling: C422 }),
  'jpeg baseline 4:4:0': (size) => writeJpeg({ ...size, sampling: C440 }),
  'jpeg baseline 4:1:1': (size) => writeJpeg({ ...size, sampling: C411 }),
  'jpeg progressive 4:2:2': (size) => writeJpeg({ ...size, sampling: C422, scans: 'progressive' }),
  'jpeg progressive 4:4:0': (size) => writeJpeg({ ...size, sampling: C440, scans: 'progressive' }),
  'jpeg progressive 4:1:1': (size) => writeJpeg({ ...size, sampling: C411, scans: 'progressive' }),
  'jpeg a scan per component': (size) => writeJpeg({ ...size, sampling: C420, scans: 'planes' }),
  'jpeg arithmetic': (size) => writeJpeg({ ...size, sampling: C420, arithmetic: true }),
  'jpeg arithmetic progressive': (size) =>
    writeJpeg({ ...size, sampling: C444, arithmetic: true, scans: 'progressive' }),
  'jpeg 12-bit': (size) => writeJpeg({ ...size, sampling: C444, precision: 12 }),
  'jpeg lossless': (size) => writeJpeg({ ...size, sampling: C444, lossless: true }),
  'jpeg progressive cmyk, flat': (size) => writeJpeg({ ...size, sampling: CMYK, scans: 'progressive' }),
  'png grey 1-bit': (size) => writePng({ ...size, bits: 1, colour: 0 }),
  'png grey 2-bit': (size) => writePng({ ...size, bits: 2, colour: 0 }),
  'png grey 4-bit': (size) => writePng({ ...size, bits: 4, colour: 0 }),
  'png grey': (size) => writePng({ ...size, bits: 8, colour: 0 }),
  'png grey 16-bit': (size) => writePng({ ...size, bits: 16, colour: 0 }),
  'png grey alpha': (size) => writePng({ ...size, bits: 8, colour: 4 }),
  'png grey alpha 16-bit': (size) => writePng({ ...size, bits: 16, colour: 4 }),
  'png palette 1-bit': (size) => writePng({ ...size, bits: 1, colour: 3 }),
  'png 16-bit': (size) => writePng({ ...size, bits: 16, colour: 2 }),
  'png interlaced grey 1-bit': (size) => writePng({ ...size, bits: 1, colour: 0, interlaced: true }),
  'png interlaced grey 16-bit': (size) => writePng({ ...size, bits: 16, colour: 0, interlaced: true }),
  'png interlaced grey alpha': (size) => writePng({ ...size, bits: 8, colour: 4, interlaced: true }),
  'png interlaced palette 4-bit': (size) => writePng({ ...size, bits: 4, colour: 3, interlaced: true }),
  'png interlaced palette': (size) => writePng({ ...size, bits: 8, colour: 3, interlaced: true }),
  'png interlaced 16-bit': (size) => writePng({ ...size, bits: 16, colour: 2, interlaced: true }),
  'tiff one strip': (size) => writeTiff({ ...size, compression: 'none' }),
  'tiff one strip deflate': (size) => writeTiff(size),
  'tiff one strip deflate, noise': (size) => writeTiff({ ...size, compression: 'noise' }),
  'tiff one strip packbits': (size) => writeTiff({ ...size, compression: 'packbits' }),
  'tiff one strip jpeg': (size) =>
    writeTiff({ ...size, compression: 'jpeg', photometric: 6, subsampling: [2, 2] }),
  'tiff one strip bigtiff': (size) => writeTiff({ ...size, big: true }),
  'tiff one strip YCbCr': (size) =>
    writeTiff({ ...size, compression: 'packbits', photometric: 6, subsampling: [2, 2] }),
  'tiff YCbCr': (size) =>
    writeTiff({ ...size, compression: 'none', photometric: 6, subsampling: [2, 2], rows: 16 }),
  'tiff YCbCr tiles': (size) =>
    writeTiff({ ...size, compression: 'none', photometric: 6, subsampling: [2, 2], tile: [256, 256] }),
  'tiff strips of 100': (size) => writeTiff({ ...size, rows: 100 }),
  'tiff planes': (size) => writeTiff({ ...size, planes: true, rows: 16 }),
  'tiff planes in one strip': (size) => writeTiff({ ...size, planes: true }),
  'tiff planes 16-bit alpha': (size) => writeTiff({ ...size, samples: 4, bits: 16, planes: true }),
  'tiff grey 1-bit': (size) => writeTiff({ ...size, samples: 1, bits: 1 }),
  'tiff grey 4-bit': (size) => writeTiff({ ...size, samples: 1, bits: 4 }),
  'tiff grey 16-bit': (size) => writeTiff({ ...size, samples: 1, bits: 16, rows: 16 }),
  'tiff float': (size) => writeTiff({ ...size, bits: 32, sampleFormat: 3, rows: 16 }),
  'tiff float grey': (size) => writeTiff({ ...size, samples: 1, bits: 32, sampleFormat: 3, rows: 16 }),
  'tiff half float': (size) => writeTiff({ ...size, bits: 16, sampleFormat: 3, rows: 16 }),
  'tiff 32-bit': (size) => writeTiff({ ...size, bits: 32, rows: 16 }),
  'tiff 10 samples': (size) => writeTiff({ ...size, samples: 10, rows: 16 }),
  'tiff cmyk 16-bit': (size) => writeTiff({ ...size, samples: 4, bits: 16, photometric: 5, rows: 16 }),
  'tiff float tiles': (size) =>
    writeTiff({ ...size, samples: 4, bits: 32, sampleFormat: 3, tile: [512, 512] }),
  'tiff tiles 1024, noise': (size) => writeTiff({ ...size, compression: 'noise', tile: [1024, 1024] }),
  'tiff tiles 1024': (size) => writeTiff({ ...size, tile: [1024, 1024] }),
  'tiff tiles wider than the image': (size) => writeTiff({ ...size, tile: largestTile(size) }),
  'tiff pages': (size) => writeTiff({ ...size, rows: 16, pages: 5 }),
};

/** Made from others. @type {Record<string, (size: Size) => Promise<Buffer>>} */
const composed = {
  'webp animated': (size) => animation(size, (image) => image.webp({ quality: 80, effort: 0 })),
  'webp animated lossless': (size) => animation(size, (image) => image.webp({ lossless: true, effort: 0 })),
  'webp animated, small frames': async (size) => {
    const file = await animation({ width: 64, height: 64 }, (image) => image.webp({ effort: 0 }));
    // Canvas width and height less one in the chunk VP8X (WebP container specification).
    file.writeUIntLE(size.width - 1, 24, 3);
    file.writeUIntLE(size.height - 1, 27, 3);
    return file;
  },
  'gif animated': (size) => animation(size, (image) => image.gif({ effort: 1, colours: 64 })),
  'gif small frame': async (size) => {
    const file = await encode({ width: 64, height: 64 }, (image) => image.gif({ effort: 1, colours: 64 }));
    // The logical screen (GIF89a, section 18).
    file.writeUInt16LE(size.width, 6);
    file.writeUInt16LE(size.height, 8);
    return file;
  },
  'avif turned': async (size) => writeTurned(await encode(size, /** @type {Encode} */ (encoded.avif))),
  'avif grid of 512': (size) => grid(size, 512, /** @type {Encode} */ (encoded.avif)),
  'avif grid of 1024': (size) => grid(size, 1024, /** @type {Encode} */ (encoded['avif 4:4:4'])),
};

/** By name: each a different path through a decoder. @type {Record<string, (size: Size) => Buffer | Promise<Buffer>>} */
const kindsByName = {
  ...wrap(encoded, (make) => (size) => encode(size, make)),
  ...wrap(detailed, (make) => (size) => encode(size, make, 'noise')),
  ...written,
  ...composed,
};

/** The names of all kinds, by format. */
export const kinds = Object.keys(kindsByName).sort();

/**
 * The bytes of an image of one kind.
 * @param {string} kind
 * @param {number} width
 * @param {number} height
 */
export async function makeImage(kind, width, height) {
  const make = kindsByName[kind];
  if (!make) throw new Error(`expected one of ${kinds.join(', ')} but received ${kind}`);
  return await make({ width, height });
}

/**
 * @template T, U
 * @param {Record<string, T>} record
 * @param {(value: T) => U} change
 */
function wrap(record, change) {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]));
}

/** @param {Size} size @param {Encode} how @param {'blotches' | 'noise'} [content] */
async function encode(size, how, content = 'blotches') {
  return how(sharp(await pixels(size, content), { raw: { ...size, channels: 3 } })).toBuffer();
}

/** Three frames. @param {Size} size @param {Encode} how */
async function animation(size, how) {
  const frame = await pixels(size, 'blotches');
  const frames = [frame, Buffer.from(frame).fill(99, 0, frame.length / 2), frame];
  const all = { raw: { width: size.width, height: 3 * size.height, channels: 3, pageHeight: size.height } };
  return how(sharp(Buffer.concat(frames), /** @type {any} */ (all))).toBuffer();
}

/** @param {Size} size @param {number} side @param {Encode} how */
async function grid({ width, height }, side, how) {
  const tile = await encode({ width: side, height: side }, how);
  return writeGrid(tile, { columns: Math.ceil(width / side), rows: Math.ceil(height / side), width, height });
}

/** As large as libvips takes: twice the longer side, 8192, 100 MB. @param {Size} size @returns {[number, number]} */
function largestTile({ width, height }) {
  const side = Math.min(5632, Math.ceil((2 * Math.max(width, height)) / 256) * 256);
  return [side, side];
}

/** @type {{ key: string, pixels: Promise<Buffer> } | undefined} */
let last;

/**
 * RGB: soft blotches, so that it compresses like a photo, or noise in every pixel.
 * @param {Size} size @param {'blotches' | 'noise'} content
 */
function pixels({ width, height }, content) {
  const key = `${width}×${height} ${content}`;
  if (last?.key !== key) last = { key, pixels: paint({ width, height }, content === 'noise' ? 1 : 4) };
  return last.pixels;
}

/** @param {Size} size @param {number} grain pixels on a side of what has one colour */
async function paint({ width, height }, grain) {
  const noise = sharp({
    create: {
      width: Math.ceil(width / grain),
      height: Math.ceil(height / grain),
      channels: 3,
      background: 'grey',
      noise: { type: 'gaussian', mean: 128, sigma: 30 },
    },
  });
  return noise.resize(width, height, { fit: 'fill' }).raw().toBuffer();
}
