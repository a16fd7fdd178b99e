// Prints what decoding costs, for the table in `src/extract/decoder-cost.ts`:
// `npm run build:ts && node scripts/measure-decoders/main.mjs [--to=512,cover] [kind…]`, where the target is the side of
// a square and how the image fits it. An exclamation mark: more than the table says.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kinds, makeImage } from './images.mjs';
import { measureDecode } from './measure.mjs';

/** From a thumbnail to 12 megapixels; the last two have one size, wide and tall. */
const SIZES = /** @type {const} */ ([
  [320, 240],
  [1024, 768],
  [2000, 1500],
  [4000, 3000],
  [6000, 500],
  [500, 6000],
]);

const target = process.argv.slice(2).find((argument) => argument.startsWith('--to='));
const [side, fit = 'cover'] = target?.slice('--to='.length).split(',') ?? [];
const to = side && { width: Number(side), height: Number(side), fit };
const wanted = process.argv.slice(2).filter((argument) => argument !== target);
const folder = mkdtempSync(join(tmpdir(), 'measure-decoders-'));
try {
  for (const kind of wanted.length > 0 ? wanted : Object.keys(kinds)) {
    const figures = [];
    for (const [width, height] of SIZES) {
      const file = join(folder, 'image');
      writeFileSync(file, await makeImage(kind, width, height));
      const { peakBytes, costBytes } = await measureDecode(file, 3, to);
      const pixels = width * height;
      const mark = peakBytes > costBytes ? '!' : '';
      figures.push(
        `${width}×${height} ${(peakBytes / 1e6).toFixed(1)} MB ${(peakBytes / pixels).toFixed(2)} B/px` +
          ` of ${(costBytes / 1e6).toFixed(1)}${mark}`,
      );
    }
    console.log(`${kind.padEnd(28)} ${figures.join(' | ')}`);
  }
} finally {
  rmSync(folder, { recursive: true });
}
