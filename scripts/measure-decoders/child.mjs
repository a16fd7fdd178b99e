// Decodes images in a process of its own, all at once, and prints what that took as JSON. The argument is JSON too:
// the files, the target unless it is the default one, and the memory group of this process. Runs the compiled `dist`.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';

// Variables, so that type-checking does not need the build.
const modules = { image: '../../dist/extract/image.js', native: '../../dist/native/load.js' };
const { openImage, decodeImage } = await import(modules.image);
const { native } = await import(modules.native);
const { files, target, group } = JSON.parse(process.argv[2] ?? '');

// What every process pays once (libraries, threads, lazily compiled code) is not this image's.
const tiny = await sharp({ create: { width: 64, height: 64, channels: 3, background: 'teal' } })
  .jpeg()
  .toBuffer();
await decodeImage(tiny, await openImage(tiny));

const images = files.map((/** @type {string} */ file) => readFileSync(file));
let start = await baseline();
const opened = await Promise.allSettled(images.map((bytes) => openImage(bytes, { target })));
const open = growth(start);
const headers = opened.map((outcome, i) =>
  outcome.status === 'fulfilled' ? outcome.value : refuse(outcome, i),
);
start = await baseline();
const decoded = await Promise.allSettled(headers.map((header, i) => decodeImage(images[i], header)));
const peak = growth(start);
decoded.forEach((outcome, i) => {
  if (outcome.status === 'rejected') refuse(outcome, i);
});
await rest();
const [{ exif, ...traits }] = headers;
const costBytes = headers.reduce((sum, header) => sum + header.costBytes, 0);
process.stdout.write(JSON.stringify({ ...traits, costBytes, open, peak, kept: standing(start) }));

/** Says why and stops: there is nothing to measure. @param {PromiseRejectedResult} outcome @param {number} i */
function refuse({ reason }, i) {
  process.stdout.write(
    JSON.stringify({ refused: `${reason.code}: ${reason.message}`, file: files[i], open }),
  );
  process.exit();
}

/** As the governor leaves a process under pressure: no free heap pages, no library pages that can be read again. */
async function rest() {
  globalThis.gc?.();
  await native().trim?.();
  native().dropLibraryPages?.('libvips');
}

async function baseline() {
  await rest();
  // 5 resets the high-water mark of the resident set: proc(5), /proc/pid/clear_refs.
  writeFileSync('/proc/self/clear_refs', '5');
  if (group) writeFileSync(join(group, 'memory.max_usage_in_bytes'), '0');
  return { rss: status('VmHWM'), charge: charged('max_usage') };
}

/** By how much the highest mark lies above the baseline. @param {{ rss: number, charge: number }} from */
function growth(from) {
  return { rss: status('VmHWM') - from.rss, ...(group && { charge: charged('max_usage') - from.charge }) };
}

/** By how much more is held than at the baseline. @param {{ rss: number, charge: number }} from */
function standing(from) {
  return { rss: status('VmRSS') - from.rss, ...(group && { charge: charged('usage') - from.charge }) };
}

/** @param {string} field */
function status(field) {
  const match = new RegExp(`${field}:\\s+(\\d+) kB`).exec(readFileSync('/proc/self/status', 'utf8'));
  return Number(match?.[1]) * 1024;
}

/** @param {string} figure */
function charged(figure) {
  return group ? Number(readFileSync(join(group, `memory.${figure}_in_bytes`), 'latin1')) : 0;
}
