// Makes photos that are nobody's: `node scripts/make-photos.mjs <folder> <count> [seed]`. The same seed makes the
// same pixels. Some hundreds a second.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import sharp from 'sharp';
import { uniform } from './make-model/test-graphs.mjs';

const WIDTH = 640;
const HEIGHT = 480;
/** Scenes are larger than photos: each photo is a view of one. */
const SCENE_WIDTH = 1600;
const SCENE_HEIGHT = 1200;
const SCENES = 4;
/** Soft shapes and ever finer detail, as in nature: amplitude falls with frequency. */
const OCTAVES = [
  { columns: 5, rows: 4, amplitude: 110 },
  { columns: 20, rows: 15, amplitude: 60 },
  { columns: 100, rows: 75, amplitude: 30 },
  { columns: 400, rows: 300, amplitude: 16 },
];

/**
 * Writes `count` JPEG photos of 640×480, no two alike, to `folder`, which is made where it is missing.
 * @param {string} folder
 * @param {number} count
 * @param {{ seed?: number }} [options] default 1
 * @returns {Promise<string[]>} their paths, in order
 */
export async function makePhotos(folder, count, { seed = 1 } = {}) {
  mkdirSync(folder, { recursive: true });
  const scenes = await Promise.all(Array.from({ length: SCENES }, (_, i) => makeScene(seed * SCENES + i)));
  const paths = Array.from({ length: count }, (_, i) =>
    join(folder, `photo-${String(i).padStart(6, '0')}.jpg`),
  );
  let next = 0;
  const work = async () => {
    for (let i = next++; i < count; i = next++)
      writeFileSync(/** @type {string} */ (paths[i]), await view(scenes, seed, i));
  };
  await Promise.all([work(), work()]);
  return paths;
}

/** The pixels of a scene, RGB: octaves of noise, each scaled up smoothly. @param {number} seed */
export async function makeScene(seed) {
  const random = uniform(seed);
  const scene = new Float32Array(SCENE_WIDTH * SCENE_HEIGHT * 3).fill(128);
  for (const { columns, rows, amplitude } of OCTAVES) {
    const noise = Uint8Array.from({ length: columns * rows * 3 }, () => random() * 256);
    const octave = await sharp(noise, { raw: { width: columns, height: rows, channels: 3 } })
      .resize(SCENE_WIDTH, SCENE_HEIGHT, { fit: 'fill', kernel: 'cubic' })
      .raw()
      .toBuffer();
    for (let i = 0; i < scene.length; i++)
      scene[i] = /** @type {number} */ (scene[i]) + /** @type {number} */ (octave[i] / 127.5 - 1) * amplitude;
  }
  return sharp(Uint8ClampedArray.from(scene), {
    raw: { width: SCENE_WIDTH, height: SCENE_HEIGHT, channels: 3 },
  })
    .raw()
    .toBuffer();
}

/** Photo number `index`: a crop of a scene in a light of its own. @param {Buffer[]} scenes @param {number} seed @param {number} index */
function view(scenes, seed, index) {
  const random = uniform(seed * 1_000_003 + index);
  const left = Math.floor(random() * (SCENE_WIDTH - WIDTH));
  const top = Math.floor(random() * (SCENE_HEIGHT - HEIGHT));
  const gains = [0, 1, 2].map(() => 0.8 + random() * 0.4);
  const offset = random() * 40 - 20;
  const scene = /** @type {Buffer} */ (scenes[Math.floor(random() * scenes.length)]);
  const image = sharp(scene, { raw: { width: SCENE_WIDTH, height: SCENE_HEIGHT, channels: 3 } })
    .extract({ left, top, width: WIDTH, height: HEIGHT })
    .linear(gains, [offset, offset, offset])
    .flop(random() < 0.5);
  return image.jpeg({ quality: 82 }).toBuffer();
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [folder, count, seed = '1'] = process.argv.slice(2);
  if (!folder || !(Number(count) > 0)) {
    console.error('usage: node scripts/make-photos.mjs <folder> <count> [seed]');
    process.exit(2);
  }
  await makePhotos(folder, Number(count), { seed: Number(seed) });
}
