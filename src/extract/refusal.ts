// Says what a file is that is not decoded, and why an image of a known format is not.

import type { ImageFormat } from './decoder-cost.js';
import { readJpeg } from './jpeg.js';
import { readTiff } from './tiff.js';

/** Formats that are told apart only to refuse them by name: the name, and what such a file may start with. */
const REFUSED: readonly (readonly [name: string, ...starts: string[]])[] = [
  ['a PDF document', '%PDF-'],
  ['a JPEG XL image', '\xff\x0a', '\0\0\0\x0cJXL '],
  ['a JPEG 2000 image', '\xff\x4f\xff\x51', '\0\0\0\x0cjP  '],
  ['a Netpbm image', ...[1, 2, 3, 4, 5, 6, 7].map((kind) => `P${kind}\n`)],
  ['a Photoshop document', '8BPS\0'],
  ['an OpenEXR image', 'v/1\x01'],
  ['an icon', '\0\0\x01\0', '\0\0\x02\0'],
];
/** What an SVG shows depends on the machine's fonts, and drawing it takes as much memory as its author likes. */
const SVG = /^(\xef\xbb\xbf)?\s*(<(\?xml|!--|!DOCTYPE svg)[\s\S]*)?<svg\b/i;
/** The bytes 6 to 9 are reserved and zero. */
const isBmp = (head: string) => head.startsWith('BM') && head.slice(6, 10) === '\0\0\0\0';

/** Codecs of HEIF that have a name other than their four characters. */
const CODECS: Readonly<Record<string, string>> = { hvc1: 'HEVC', lhv1: 'HEVC', avc1: 'AVC', vvc1: 'VVC' };

/** Compressions of TIFF that sharp's libtiff is built without. */
const COMPRESSIONS: Readonly<Record<number, string>> = {
  6: 'old-style JPEG',
  33003: 'JPEG 2000',
  33005: 'JPEG 2000',
  34661: 'JBIG',
  34712: 'JPEG 2000',
  34887: 'LERC',
  34925: 'LZMA',
  50000: 'Zstandard',
  52546: 'JPEG XL',
};

/** sharp's own limit, `limitInputChannels`. */
const MOST_CHANNELS = 5;

/** What bytes are that no known image starts with. */
export function describeStart(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'an empty file';
  const head = Buffer.from(bytes.subarray(0, 1024)).toString('latin1');
  if (SVG.test(head)) return 'an SVG drawing';
  if (isBmp(head)) return 'a BMP image';
  const known = REFUSED.find(([, ...starts]) => starts.some((start) => head.startsWith(start)));
  if (known) return known[0];
  const start = head.slice(0, 16);
  return /^[\t\n\r -~]+$/.test(start)
    ? `text that starts with ${JSON.stringify(start)}`
    : `bytes that start with ${Buffer.from(start, 'latin1').toString('hex')}`;
}

/** The name of a codec of HEIF. */
export function codecName(codec: string): string {
  return CODECS[codec] ?? codec;
}

/** Why the decoder refused an image, as a sentence, if for a mode that it does not know. */
export function unsupportedMode(format: ImageFormat, bytes: Uint8Array): string | undefined {
  if (format === 'jpeg') {
    const precision = readJpeg(bytes)?.precision;
    return precision !== undefined && precision !== 8
      ? `expected a JPEG image of 8 bits a sample but it has ${precision}`
      : undefined;
  }
  if (format === 'avif') {
    const brand = Buffer.from(bytes.subarray(8, 12)).toString('latin1');
    return brand === 'avis' ? 'expected a still image but received a sequence of AVIF images' : undefined;
  }
  if (format !== 'tiff') return undefined;
  const { compression = 1, samples = 1 } = readTiff(bytes, { width: 0, height: 0 });
  if (samples > MOST_CHANNELS)
    return `expected a TIFF image of at most ${MOST_CHANNELS} channels but it has ${samples}`;
  const name = COMPRESSIONS[compression];
  return name && `expected a TIFF image in a compression that sharp reads but it is ${name}`;
}
