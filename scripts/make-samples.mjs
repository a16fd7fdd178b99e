// Writes `samples/`, the photos of the README's first steps: `node scripts/make-samples.mjs`.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { makeScene } from './make-photos.mjs';

const folder = join(import.meta.dirname, '..', 'samples');
const scene = { width: 1600, height: 1200, channels: /** @type {const} */ (3) };

/** What a camera writes: when, with what, where, and that it was held upright. */
const EXIF = {
  IFD0: { Make: 'Spillway', Model: 'Sample 1' },
  IFD2: { DateTimeOriginal: '2026:05:17 18:42:10', OffsetTimeOriginal: '+02:00', LensModel: '35mm f/2' },
  IFD3: {
    GPSLatitudeRef: 'N',
    GPSLatitude: '48/1 51/1 2952/100',
    GPSLongitudeRef: 'E',
    GPSLongitude: '2/1 17/1 4020/100',
    GPSAltitudeRef: '0',
    GPSAltitude: '35/1',
  },
};

/** @param {number} seed @param {number} width @param {number} height */
async function photo(seed, width, height) {
  return sharp(await makeScene(seed), { raw: scene }).resize(width, height, { fit: 'cover' });
}

const lake = await photo(101, 640, 480);
const baseline = await lake.clone().jpeg({ quality: 80 }).toBuffer();
const samples = {
  'lake.jpg': baseline,
  // The same picture, smaller and coarser: a near-duplicate.
  'lake-small.jpg': await lake.clone().resize(400, 300).jpeg({ quality: 55 }).toBuffer(),
  'hills-progressive.jpg': await (await photo(102, 640, 480))
    .jpeg({ quality: 75, progressive: true })
    .toBuffer(),
  'portrait-with-gps.jpg': await (await photo(103, 480, 360))
    .withExif(EXIF)
    .withMetadata({ orientation: 6 })
    .jpeg({ quality: 75 })
    .toBuffer(),
  'grey.jpg': await (await photo(104, 480, 320)).toColourspace('b-w').jpeg({ quality: 75 }).toBuffer(),
  'clouds.png': await (await photo(105, 160, 120)).png({ compressionLevel: 9 }).toBuffer(),
  'meadow.webp': await (await photo(106, 640, 480)).webp({ quality: 60 }).toBuffer(),
  'dunes.avif': await (await photo(107, 640, 480)).avif({ quality: 45 }).toBuffer(),
  'archive/scan.tiff': await (await photo(108, 200, 150))
    .tiff({ compression: 'jpeg', quality: 80 })
    .toBuffer(),
  'broken/truncated.jpg': baseline.subarray(0, baseline.length / 2),
  'broken/not-a-photo.jpg': Buffer.from('This is a text that calls itself a photo.\n'),
};

rmSync(folder, { recursive: true, force: true });
let total = 0;
for (const [name, bytes] of Object.entries(samples)) {
  mkdirSync(join(folder, name, '..'), { recursive: true });
  writeFileSync(join(folder, name), bytes);
  total += bytes.length;
}
console.log(`samples/: ${Object.keys(samples).length} files, ${total} bytes`);
