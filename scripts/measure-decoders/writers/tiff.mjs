// Writes TIFFs of layouts that sharp does not write (TIFF 6.0, BigTIFF), all of their samples zero unless they are noise.
import { randomBytes } from 'node:crypto';
import { deflateSync } from 'node:zlib';
import { writeJpeg } from './jpeg.mjs';

const SHORT = 3;
const LONG = 4;
const LONG8 = 16;
/** Compression (tag 259): how so many rows of so many zero bytes each are coded. */
const CODERS = {
  none: { tag: 1, code: (/** @type {number} */ row, /** @type {number} */ rows) => Buffer.alloc(row * rows) },
  deflate: {
    tag: 8,
    code: (/** @type {number} */ row, /** @type {number} */ rows) =>
      deflateSync(Buffer.alloc(row * rows), { level: 1 }),
  },
  // Nothing to compress: as large as can be.
  noise: {
    tag: 8,
    code: (/** @type {number} */ row, /** @type {number} */ rows) =>
      deflateSync(randomBytes(row * rows), { level: 1 }),
  },
  // Each row by itself (section 9): runs of 128 zeros, then as many single ones as are left.
  packbits: {
    tag: 32773,
    code: (/** @type {number} */ row, /** @type {number} */ rows) => {
      const runs = Buffer.alloc(2 * Math.floor(row / 128), Buffer.of(0x81, 0));
      const left = Buffer.alloc(2 * (row % 128));
      return Buffer.alloc((runs.length + left.length) * rows, Buffer.concat([runs, left]));
    },
  },
};

/**
 * @param {object} image
 * @param {number} image.width
 * @param {number} image.height
 * @param {number} [image.samples] of a pixel
 * @param {number} [image.bits] of a sample
 * @param {1 | 2 | 3} [image.sampleFormat] unsigned, signed, floating point
 * @param {'none' | 'deflate' | 'noise' | 'packbits' | 'jpeg'} [image.compression]
 * @param {number} [image.photometric] 1 grey, 2 RGB, 5 CMYK, 6 YCbCr, 8 L*a*b*
 * @param {number} [image.rows] of a strip; all of them unless told
 * @param {readonly [width: number, height: number]} [image.tile] in tiles rather than strips
 * @param {boolean} [image.planes] each component by itself
 * @param {readonly [number, number]} [image.subsampling] of YCbCr
 * @param {boolean} [image.big] BigTIFF
 * @param {number} [image.pages]
 */
export function writeTiff({
  width,
  height,
  samples = 3,
  bits = 8,
  sampleFormat = 1,
  compression = 'deflate',
  photometric = samples < 3 ? 1 : samples < 5 ? 2 : 1,
  rows = height,
  tile,
  planes = false,
  subsampling,
  big = false,
  pages = 1,
}) {
  const [columns, lines] = tile ?? [width, rows];
  const across = Math.ceil(width / columns);
  const down = Math.ceil(height / lines);
  const inPiece = planes ? 1 : samples;
  const pieces = [];
  for (let row = 0; row < down; row++) {
    const pieceLines = tile ? lines : Math.min(lines, height - row * lines);
    const piece =
      compression === 'jpeg'
        ? writeJpeg({ width: columns, height: pieceLines, sampling: jpegSampling(inPiece, subsampling) })
        : subsampling
          ? CODERS[compression].code(subsampledBytes(columns, pieceLines, subsampling), 1)
          : CODERS[compression].code(Math.ceil((columns * bits * inPiece) / 8), pieceLines);
    for (let column = 0; column < across; column++) pieces.push(piece);
  }
  const planesOf = planes ? Array.from({ length: samples }, () => pieces).flat() : pieces;
  const extra = samples - (photometric === 5 ? 4 : photometric === 2 || photometric === 6 ? 3 : 1);
  /** @type {[tag: number, type: number, values: number[]][]} */
  const tags = [
    [256, LONG, [width]],
    [257, LONG, [height]],
    [258, SHORT, Array(samples).fill(bits)],
    [259, SHORT, [compression === 'jpeg' ? 7 : CODERS[compression].tag]],
    [262, SHORT, [photometric]],
    [277, SHORT, [samples]],
    [284, SHORT, [planes ? 2 : 1]],
    [339, SHORT, Array(samples).fill(sampleFormat)],
  ];
  if (extra > 0) tags.push([338, SHORT, Array(extra).fill(0)]);
  if (subsampling) tags.push([530, SHORT, [...subsampling]]);
  if (!tile) tags.push([278, LONG, [rows]]);
  else tags.push([322, LONG, [columns]], [323, LONG, [lines]]);
  return layOut({ tags, pieces: planesOf, pieceTags: tile ? [324, 325] : [273, 279], big, pages });
}

/** Blocks of h × v luma and two chroma samples (TIFF 6.0, section 21). */
function subsampledBytes(
  /** @type {number} */ columns,
  /** @type {number} */ lines,
  /** @type {readonly [number, number]} */ [h, v],
) {
  return Math.ceil(columns / h) * Math.ceil(lines / v) * (h * v + 2);
}

/** @param {number} samples @param {readonly [number, number]} [subsampling] */
function jpegSampling(samples, subsampling = [1, 1]) {
  return Array.from({ length: samples }, (_, i) => (i === 0 ? subsampling : /** @type {const} */ ([1, 1])));
}

/**
 * Header, the pieces once, then a directory for each page, all of which share them.
 * @param {{ tags: [number, number, number[]][], pieces: Buffer[], pieceTags: [number, number] | number[],
 *   big: boolean, pages: number }} file
 */
function layOut({ tags, pieces, pieceTags, big, pages }) {
  const headBytes = big ? 16 : 8;
  const places = new Map();
  let end = headBytes;
  for (const piece of pieces) {
    if (places.has(piece)) continue;
    places.set(piece, end);
    end += piece.length + (piece.length % 2);
  }
  const type = big ? LONG8 : LONG;
  const [offsetsTag = 0, sizesTag = 0] = pieceTags;
  const all = [
    ...tags,
    /** @type {[number, number, number[]]} */ ([offsetsTag, type, pieces.map((piece) => places.get(piece))]),
    /** @type {[number, number, number[]]} */ ([sizesTag, type, pieces.map(({ length }) => length)]),
  ].sort(([a], [b]) => a - b);
  const parts = [header(end, big)];
  for (const piece of places.keys()) parts.push(piece, Buffer.alloc(piece.length % 2));
  for (let page = 0; page < pages; page++) {
    const directory = writeDirectory(all, end, big, page + 1 < pages);
    parts.push(directory);
    end += directory.length;
  }
  return Buffer.concat(parts);
}

/** @param {number} directory @param {boolean} big */
function header(directory, big) {
  const head = Buffer.alloc(big ? 16 : 8);
  head.write('II', 'latin1');
  head.writeUInt16LE(big ? 43 : 42, 2);
  if (big) {
    head.writeUInt16LE(8, 4);
    head.writeBigUInt64LE(BigInt(directory), 8);
  } else head.writeUInt32LE(directory, 4);
  return head;
}

/**
 * @param {[number, number, number[]][]} tags @param {number} at where it will stand @param {boolean} big
 * @param {boolean} more whether another one follows
 */
function writeDirectory(tags, at, big, more) {
  const [countBytes, entryBytes, linkBytes] = big ? [8, 20, 8] : [2, 12, 4];
  const table = Buffer.alloc(countBytes + entryBytes * tags.length + linkBytes);
  const link = (/** @type {number} */ value, /** @type {number} */ offset) =>
    big ? table.writeBigUInt64LE(BigInt(value), offset) : table.writeUInt32LE(value, offset);
  if (big) table.writeBigUInt64LE(BigInt(tags.length), 0);
  else table.writeUInt16LE(tags.length, 0);
  const beside = [];
  let end = at + table.length;
  tags.forEach(([tag, type, values], i) => {
    const entry = countBytes + entryBytes * i;
    table.writeUInt16LE(tag, entry);
    table.writeUInt16LE(type, entry + 2);
    link(values.length, entry + 4);
    const bytes = writeValues(type, values);
    const field = entry + 4 + linkBytes;
    if (bytes.length <= linkBytes) bytes.copy(table, field);
    else {
      link(end, field);
      beside.push(bytes);
      end += bytes.length;
    }
  });
  end += end % 2;
  if (more) link(end, table.length - linkBytes);
  const whole = Buffer.concat([table, ...beside]);
  return Buffer.concat([whole, Buffer.alloc(end - at - whole.length)]);
}

/** @param {number} type @param {number[]} values */
function writeValues(type, values) {
  const size = type === SHORT ? 2 : type === LONG ? 4 : 8;
  const bytes = Buffer.alloc(values.length * size);
  values.forEach((value, i) => {
    if (size === 8) bytes.writeBigUInt64LE(BigInt(value), 8 * i);
    else bytes.writeUIntLE(value, size * i, size);
  });
  return bytes;
}
