// Prints what decoding costs, for the table in `src/extract/decoder-cost.ts`:
// `npm run build:ts && node scripts/measure-decoders/main.mjs [--to=512,cover] [--size=4000x3000]… [--json] [kind…]`,
// where the target is the side of a square and how the image fits it, and a kind may end in *. As root on cgroup v1 the
// charge is measured too. An exclamation mark: more than the table says.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kinds, makeImage } from './images.mjs';
import { measureDecodes } from './measure.mjs';

/** From a thumbnail to 24 megapixels, two of them long and narrow. */
const SIZES = ['160x120', '800x600', '2000x1500', '8000x500', '500x8000', '4000x3000', '6000x4000'];
/** From here on a collection's few megabytes drown in the image's. */
const MANY_PIXELS = 2e6;

const given = process.argv.slice(2);
const option = (/** @type {string} */ name) =>
  given.flatMap((argument) => (argument.startsWith(`--${name}=`) ? [argument.slice(name.length + 3)] : []));
const [side, fit = 'cover'] = option('to')[0]?.split(',') ?? [];
const target = side
  ? { width: Number(side), height: Number(side), fit: /** @type {'cover' | 'contain' | 'fill'} */ (fit) }
  : undefined;
const patterns = given.filter((argument) => !argument.startsWith('--'));
const wanted = kinds.filter(
  (kind) =>
    patterns.length === 0 ||
    patterns.some((pattern) =>
      pattern.endsWith('*') ? kind.startsWith(pattern.slice(0, -1)) : kind === pattern,
    ),
);

/** @type {{ name: string, peakBytes: number, ratio: number }[]} */
const judged = [];
const folder = mkdtempSync(join(tmpdir(), 'measure-decoders-'));
try {
  for (const size of option('size').length > 0 ? option('size') : SIZES)
    for (const kind of wanted) await measureKind(kind, size);
  if (!given.includes('--json')) summarise();
} finally {
  rmSync(folder, { recursive: true });
}

/** @param {string} kind @param {string} size */
async function measureKind(kind, size) {
  const [width = 0, height = 0] = size.split('x').map(Number);
  const file = join(folder, 'image');
  const bytes = await makeImage(kind, width, height);
  writeFileSync(file, bytes);
  const measured = await measureDecodes([file], { runs: width * height < MANY_PIXELS ? 3 : 1, target });
  if (given.includes('--json')) {
    console.log(JSON.stringify({ kind, size, fileBytes: bytes.length, ...measured }));
    return;
  }
  const name = `${kind.padEnd(32)} ${size.padStart(9)}`;
  if ('refused' in measured) {
    console.log(`${name} ${measured.refused}`);
    return;
  }
  const { open, peak, kept, peakBytes, costBytes } = measured;
  const ratio = costBytes / peakBytes;
  judged.push({ name: `${kind} ${size}`, peakBytes, ratio });
  console.log(
    `${name} estimate ${megabytes(costBytes)}, peak ${figures(peak)}, ${ratio.toFixed(2)}${ratio < 1 ? '!' : ''},` +
      ` ${(peakBytes / (width * height)).toFixed(1)} B/px, header ${figures(open)}, kept ${figures(kept)}`,
  );
}

/** @param {import('./measure.mjs').Growth} growth */
function figures({ rss, charge }) {
  return charge === undefined ? megabytes(rss) : `${megabytes(rss)} (charged ${megabytes(charge)})`;
}

/** @param {number} bytes */
function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** The estimates nearest to what was measured, and those furthest above it among large images. */
function summarise() {
  const show = (/** @type {typeof judged} */ worst) =>
    worst.map(({ name, ratio }) => `${ratio.toFixed(2)} ${name}`).join('\n  ');
  const byRatio = [...judged].sort((a, b) => a.ratio - b.ratio);
  const large = byRatio.filter(({ peakBytes }) => peakBytes > 10e6);
  console.log(`estimate ÷ peak, least:\n  ${show(byRatio.slice(0, 10))}`);
  console.log(`most, of peaks above 10 MB:\n  ${show(large.slice(-10).reverse())}`);
}
