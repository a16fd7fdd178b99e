// Writes PNGs of every bit depth and colour type (PNG specification, third edition), all of their samples zero.
import { crc32, deflateSync } from 'node:zlib';

/** Samples of a pixel, by colour type: grey, RGB, palette, grey with alpha, RGB with alpha. @type {Record<number, number>} */
const SAMPLES = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
/** The seven passes of Adam7: first column and row, and the steps between them. */
const ADAM7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
];

/**
 * @param {object} image
 * @param {number} image.width
 * @param {number} image.height
 * @param {1 | 2 | 4 | 8 | 16} image.bits of a sample
 * @param {0 | 2 | 3 | 4 | 6} image.colour
 * @param {boolean} [image.interlaced]
 */
export function writePng({ width, height, bits, colour, interlaced = false }) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([bits, colour, 0, 0, interlaced ? 1 : 0], 8);
  const rowBytes = (/** @type {number} */ columns) =>
    columns === 0 ? 0 : 1 + Math.ceil((columns * bits * (SAMPLES[colour] ?? 1)) / 8);
  const passes = interlaced ? ADAM7 : [[0, 0, 1, 1]];
  let bytes = 0;
  for (const [x = 0, y = 0, right = 1, down = 1] of passes) {
    const columns = Math.ceil(Math.max(0, width - x) / right);
    bytes += rowBytes(columns) * Math.ceil(Math.max(0, height - y) / down);
  }
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    ...(colour === 3 ? [chunk('PLTE', Buffer.alloc(3 * 2 ** bits, 128))] : []),
    chunk('IDAT', deflateSync(Buffer.alloc(bytes), { level: 1 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** @param {string} type @param {Buffer} data */
function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const whole = Buffer.alloc(body.length + 8);
  whole.writeUInt32BE(data.length, 0);
  body.copy(whole, 4);
  whole.writeUInt32BE(crc32(body), body.length + 4);
  return whole;
}
