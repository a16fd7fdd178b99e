// Decodes one image in a process of its own and prints by how many bytes the resident set grew at its peak.
// Arguments: the image, and the target as JSON unless it is the default one. Runs the compiled `dist`.

import { readFileSync, writeFileSync } from 'node:fs';
import sharp from 'sharp';

// A variable, so that type-checking does not need the build.
const image = '../../dist/extract/image.js';
const { openImage, decodeImage } = await import(image);

// What every process pays once (libraries, threads, lazily compiled code) is not this image's.
const tiny = await sharp({ create: { width: 64, height: 64, channels: 3, background: 'teal' } })
  .jpeg()
  .toBuffer();
await decodeImage(tiny, await openImage(tiny));

const bytes = readFileSync(process.argv[2] ?? '');
const target = process.argv[3] && JSON.parse(process.argv[3]);
const header = await openImage(bytes, { target: target || undefined });
// 5 resets the high-water mark of the resident set: proc(5), /proc/pid/clear_refs.
writeFileSync('/proc/self/clear_refs', '5');
const before = peakBytes();
await decodeImage(bytes, header);
const { exif, icc, ...traits } = header;
process.stdout.write(JSON.stringify({ ...traits, peakBytes: peakBytes() - before }));

function peakBytes() {
  const [, kilobytes] = /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}
