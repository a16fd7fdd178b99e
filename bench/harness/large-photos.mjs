// Large photos of the kinds that differ most in what decoding them takes.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { uniform } from '../../scripts/make-model/test-graphs.mjs';
import { dataSet } from './data-sets.mjs';

/**
 * @typedef {{ kind: string, width: number, height: number, extension: string, of30: number,
 *   encode(image: import('sharp').Sharp): import('sharp').Sharp }} PhotoKind `of30`: how many of thirty photos
 */

const jpeg =
  (/** @type {import('sharp').JpegOptions} */ options) => (/** @type {import('sharp').Sharp} */ image) =>
    image.jpeg({ quality: 85, ...options });
const interlaced = (/** @type {import('sharp').Sharp} */ image) =>
  image.png({ progressive: true, adaptiveFiltering: true, compressionLevel: 2 });
const avif = (/** @type {import('sharp').Sharp} */ image) => image.avif({ quality: 50, effort: 0 });

/** From what any limit holds to what takes some 290 MB. @type {readonly PhotoKind[]} */
export const KINDS = [
  { kind: 'jpeg-12mp', width: 4000, height: 3000, extension: 'jpg', of30: 8, encode: jpeg({}) },
  { kind: 'jpeg-24mp', width: 6000, height: 4000, extension: 'jpg', of30: 3, encode: jpeg({}) },
  {
    kind: 'progressive-12mp',
    width: 4000,
    height: 3000,
    extension: 'jpg',
    of30: 6,
    encode: jpeg({ progressive: true }),
  },
  {
    kind: 'progressive-24mp',
    width: 6000,
    height: 4000,
    extension: 'jpg',
    of30: 1,
    encode: jpeg({ progressive: true, chromaSubsampling: '4:4:4' }),
  },
  { kind: 'interlaced-6mp', width: 3000, height: 2000, extension: 'png', of30: 4, encode: interlaced },
  { kind: 'interlaced-12mp', width: 4000, height: 3000, extension: 'png', of30: 2, encode: interlaced },
  { kind: 'avif-1mp', width: 1200, height: 900, extension: 'avif', of30: 3, encode: avif },
  { kind: 'avif-4mp', width: 2400, height: 1600, extension: 'avif', of30: 2, encode: avif },
  { kind: 'avif-12mp', width: 4000, height: 3000, extension: 'avif', of30: 1, encode: avif },
];
const ROUND = 30;
const SCENES = 4;

/** The kind of a photo, as its name says. @param {string} file */
export function kindOf(file) {
  return path.basename(file).replace(/^\d+-|\.\w+$/g, '');
}

/** A folder of `count` large photos, every kind in every thirty of them, in a mixed order. @param {number} count */
export function largePhotosOf(count) {
  return dataSet(`large-photos-${count}`, async (folder) => {
    // Only where photos are made: they are read by processes that measure memory.
    const { default: sharp } = await import('sharp');
    const { makeScene } = await import('../../scripts/make-photos.mjs');
    const scenes = await Promise.all(Array.from({ length: SCENES }, (_, i) => makeScene(40 + i)));
    for (const [i, kind] of mixed(count).entries()) {
      const random = uniform(1_000_003 + i);
      // A view of a scene, scaled up: what a decoder takes depends on the pixels' number, not on what they show.
      const image = sharp(/** @type {Buffer} */ (scenes[i % SCENES]), {
        raw: { width: 1600, height: 1200, channels: 3 },
      })
        .extract({
          left: Math.floor(random() * 400),
          top: Math.floor(random() * 300),
          width: 1200,
          height: 900,
        })
        .linear(0.8 + random() * 0.4, random() * 40 - 20)
        .resize(kind.width, kind.height, { fit: 'fill' });
      const name = `${String(i).padStart(4, '0')}-${kind.kind}.${kind.extension}`;
      writeFileSync(path.join(folder, name), await kind.encode(image).toBuffer());
    }
  });
}

/** Kinds in their shares, shuffled the same way everywhere. @param {number} count @returns {PhotoKind[]} */
export function mixed(count) {
  const random = uniform(17);
  const all = [];
  while (all.length < count) {
    const round = KINDS.flatMap((kind) => Array.from({ length: kind.of30 }, () => kind));
    for (let i = ROUND - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [round[i], round[j]] = [/** @type {PhotoKind} */ (round[j]), /** @type {PhotoKind} */ (round[i])];
    }
    all.push(...round);
  }
  return all.slice(0, count);
}
