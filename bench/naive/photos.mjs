// The photos job as a good engineer writes it without spillway: fast-glob, p-limit, sharp, onnxruntime-node in
// batches, lru-cache for what was seen before. node photos.mjs <root> <out.jsonl> <model> <batch> <concurrency>.
// Frozen: it may only get faster. Near-duplicates, EXIF and profiles are left out, in its favour.
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { finished } from 'node:stream/promises';
import fastGlob from 'fast-glob';
import { LRUCache } from 'lru-cache';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import pLimit from 'p-limit';
import sharp from 'sharp';

const SIDE = 256;
const PIXELS = SIDE * SIDE;
const PIXEL_BYTES = PIXELS * 3;
const INNER = (SIDE - 2) ** 2;
const WHITE = { r: 255, g: 255, b: 255 };

const [root, out, model, batchText, concurrencyText] = process.argv.slice(2);
const batch = Number(batchText);

// Photos are decoded side by side, so each by one thread: faster than one photo by many.
sharp.concurrency(1);
sharp.cache(false);

const session = await InferenceSession.create(model, { intraOpNumThreads: availableParallelism() });
const limit = pLimit(Number(concurrencyText));
const seen = new LRUCache({ maxSize: 64e6, sizeCalculation: (text) => text.length * 2 });
const output = createWriteStream(out);

/** Photos that are being decoded, in order; as many as two batches, so that one decodes while the other runs. */
const waiting = [];
const files = fastGlob.stream('**', { cwd: root, absolute: true, dot: true, stats: true, unique: false });
for await (const { path, stats } of files) {
  waiting.push(limit(prepare, path, stats));
  if (waiting.length >= 2 * batch) await infer(waiting.splice(0, batch));
}
while (waiting.length > 0) await infer(waiting.splice(0, batch));
output.end();
await finished(output);

/** Reads and decodes a photo, unless its result is remembered. */
async function prepare(path, { size, mtimeMs }) {
  const key = `${path}:${size}:${mtimeMs}`;
  const line = seen.get(key);
  if (line !== undefined) return { line };
  const bytes = await readFile(path);
  const image = sharp(bytes, { failOn: 'error' });
  const { format, width, height, orientation = 1 } = await image.metadata();
  const pixels = await image
    .resize(SIDE, SIDE, { fit: 'fill' })
    .flatten({ background: WHITE })
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer();
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { key, path, size, mtimeMs, sha256, pixels, header: { format, width, height, orientation } };
}

/** One run of the model over those of a batch that are new. */
async function infer(pending) {
  const photos = await Promise.all(pending);
  const fresh = photos.filter(({ line }) => line === undefined);
  if (fresh.length > 0) {
    const pixels = new Uint8Array(fresh.length * PIXEL_BYTES);
    for (const [i, photo] of fresh.entries()) pixels.set(photo.pixels, i * PIXEL_BYTES);
    const { dct, sums } = await session.run({
      pixels: new Tensor('uint8', pixels, [fresh.length, SIDE, SIDE, 3]),
    });
    for (const [i, { key, path, size, mtimeMs, sha256, header }] of fresh.entries()) {
      const data = { ...header, ...features(dct.data, sums.data, i) };
      const line = JSON.stringify({ path, size, mtimeMs, kind: 'photo', sha256, cached: false, data });
      seen.set(key, line);
      output.write(`${line}\n`);
    }
  }
  for (const { line } of photos) if (line !== undefined) output.write(`${line}\n`);
}

/** What the graph's integers say of photo `i`. */
function features(dcts, allSums, i) {
  const dct = dcts.subarray(i * 64, i * 64 + 64);
  const [laplacian, laplacian2, dark, bright, r, g, b, rr, rg, rb, gg, gb, bb] = allSums.subarray(
    i * 13,
    i * 13 + 13,
  );
  // Variance of x·R + y·G + z·B, from the sums of products.
  const mixed = (x, y, z) =>
    variance(
      x * r + y * g + z * b,
      x * x * rr + y * y * gg + z * z * bb + 2 * (x * y * rg + x * z * rb + y * z * gb),
      PIXELS,
    );
  const deviation = (x, y, z) => Math.sqrt(mixed(x, y, z));
  const redGreen = (r - g) / PIXELS;
  const yellowBlue = (r + g - 2 * b) / PIXELS / 2;
  const spread = Math.sqrt(deviation(1, -1, 0) ** 2 + (deviation(1, 1, -2) / 2) ** 2);
  return {
    phash: phash(dct),
    sharpness: rounded(variance(laplacian, laplacian2, INNER) / 4096),
    exposure: {
      mean: rounded((19 * r + 38 * g + 7 * b) / PIXELS / 64),
      deviation: rounded(deviation(19, 38, 7) / 64),
      dark: rounded(dark / PIXELS),
      bright: rounded(bright / PIXELS),
    },
    colour: {
      mean: [rounded(r / PIXELS), rounded(g / PIXELS), rounded(b / PIXELS)],
      deviation: [rounded(deviation(1, 0, 0)), rounded(deviation(0, 1, 0)), rounded(deviation(0, 0, 1))],
      colourfulness: rounded(spread + 0.3 * Math.sqrt(redGreen ** 2 + yellowBlue ** 2)),
    },
  };
}

/** 64 signs against the median, as hexadecimal digits; none for a picture without structure. */
function phash(dct) {
  let energy = 0;
  for (let i = 1; i < 64; i++)
    energy += (dct[i] / (1024 ** 2 * 64 * 64)) ** 2 * (i < 8 || i % 8 === 0 ? 2 : 4);
  if (energy / 32 ** 4 < 0.25) return null;
  const median = dct.slice(1).sort()[31];
  let digits = '';
  for (let at = 0; at < 64; at += 4) {
    let digit = 0;
    for (let i = 0; i < 4; i++) digit = digit * 2 + (dct[at + i] > median ? 1 : 0);
    digits += digit.toString(16);
  }
  return digits;
}

function variance(sum, squares, count) {
  return Math.max(0, squares / count - (sum / count) ** 2);
}

function rounded(value) {
  return Math.round(value * 1e4) / 1e4;
}
