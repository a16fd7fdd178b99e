// Images of every decoder's kind, made by sharp, for measuring what decoding them costs.

import sharp from 'sharp';

/** @typedef {(image: import('sharp').Sharp) => import('sharp').Sharp} Encode */

/** The kinds, by name: each a different path through a decoder. @type {Record<string, Encode>} */
export const kinds = {
  'jpeg baseline': (image) => image.jpeg({ quality: 85 }),
  'jpeg baseline 4:4:4': (image) => image.jpeg({ quality: 95, chromaSubsampling: '4:4:4' }),
  'jpeg baseline grey': (image) => image.toColourspace('b-w').jpeg({ quality: 85 }),
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
  'png interlaced': (image) => image.png({ compressionLevel: 1, progressive: true }),
  'png interlaced grey': (image) =>
    image.toColourspace('b-w').png({ compressionLevel: 1, progressive: true }),
  'png interlaced 16-bit alpha': (image) =>
    image.ensureAlpha(0.5).toColourspace('rgb16').png({ compressionLevel: 1, progressive: true }),
  webp: (image) => image.webp({ quality: 80, effort: 0 }),
  'webp alpha': (image) => image.ensureAlpha(0.5).webp({ quality: 80, effort: 0 }),
  'webp lossless': (image) => image.webp({ lossless: true, effort: 0 }),
  'webp lossless alpha': (image) => image.ensureAlpha(0.5).webp({ lossless: true, effort: 0 }),
  gif: (image) => image.gif({ effort: 1, colours: 64 }),
  'tiff strips': (image) => image.tiff({ compression: 'none' }),
  'tiff lzw': (image) => image.tiff({ compression: 'lzw' }),
  'tiff jpeg': (image) => image.tiff({ compression: 'jpeg', quality: 85 }),
  'tiff tiles': (image) =>
    image.tiff({ compression: 'deflate', tile: true, tileWidth: 256, tileHeight: 256 }),
  'tiff 16-bit alpha': (image) =>
    image.ensureAlpha(0.5).toColourspace('rgb16').tiff({ compression: 'deflate' }),
  avif: (image) => image.avif({ quality: 50, effort: 0, chromaSubsampling: '4:2:0' }),
  'avif 4:4:4': (image) => image.avif({ quality: 60, effort: 0, chromaSubsampling: '4:4:4' }),
  'avif alpha': (image) => image.ensureAlpha(0.5).avif({ quality: 50, effort: 0 }),
  'avif 4:4:4 alpha': (image) =>
    image.ensureAlpha(0.5).avif({ quality: 60, effort: 0, chromaSubsampling: '4:4:4' }),
  'avif 12-bit alpha': (image) =>
    image.ensureAlpha(0.5).avif({ quality: 60, effort: 0, bitdepth: 12, chromaSubsampling: '4:4:4' }),
  'avif 10-bit': (image) => image.avif({ quality: 50, effort: 0, bitdepth: 10 }),
};

/**
 * The bytes of an image of one kind: soft blotches, so that it compresses like a photo.
 * @param {string} kind
 * @param {number} width
 * @param {number} height
 */
export async function makeImage(kind, width, height) {
  const encode = kinds[kind];
  if (!encode) throw new Error(`expected one of ${Object.keys(kinds).join(', ')} but received ${kind}`);
  const blotches = sharp({
    create: {
      width: Math.ceil(width / 4),
      height: Math.ceil(height / 4),
      channels: 3,
      background: 'grey',
      noise: { type: 'gaussian', mean: 128, sigma: 30 },
    },
  });
  const { data, info } = await blotches
    .resize(width, height, { fit: 'fill' })
    .raw()
    .toBuffer({ resolveWithObject: true });
  return encode(sharp(data, { raw: { width, height, channels: info.channels } })).toBuffer();
}
