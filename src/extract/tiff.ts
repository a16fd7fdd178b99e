// How a TIFF lays its pixels out: sharp does not tell, and a single strip or tile can be larger than the image.

import type { TargetSize } from './decoder-cost.js';

export interface TiffTraits {
  /**
   * Rows of the image's width that strips or tiles of the first page hold in memory, beyond those that resizing holds
   * of any image; below 0 where it holds fewer.
   */
  readonly extraRows: number;
  /** Bytes of the largest strip or tile as they stand in the file, which libtiff copies. */
  readonly codedBytes: number;
  /** How it is compressed (tag 259), and how many samples a pixel has; undefined where that cannot be told. */
  readonly compression: number | undefined;
  readonly samples: number | undefined;
}

const COMPRESSION = 259;
const PHOTOMETRIC = 262;
const SAMPLES_PER_PIXEL = 277;
const ROWS_PER_STRIP = 278;
const STRIP_BYTE_COUNTS = 279;
const PLANAR_CONFIGURATION = 284;
const TILE_WIDTH = 322;
const TILE_LENGTH = 323;
const TILE_BYTE_COUNTS = 325;

const UNCOMPRESSED = 1;
const YCBCR = 6;
const SEPARATE_PLANES = 2;
const JPEG = 7;
/** Of the types SHORT, LONG and LONG8. */
const VALUE_BYTES: Readonly<Record<number, 2 | 4 | 8>> = { 3: 2, 4: 4, 16: 8 };

/** libvips reads strips of more rows line by line where it can: unless they hold planes or subsampled chroma. */
const LONGEST_STRIP = 128;
/** A strip is held as decoded and as copied from there; planes once each, and one; what libtiff makes RGBA of, once. */
const STRIP_COPIES = 2;
const PLANE_COPIES = 1.3;
const RGBA_COPIES = 1.1;
/** Tiles have a cache of their own and spare so many of the rows that resizing holds of other images. */
const SPARED_ROWS = 600;

/** Of the first page of a TIFF of this size; takes it for one strip where that cannot be told. */
export function readTiff(bytes: Uint8Array, size: TargetSize): TiffTraits {
  const directory = firstDirectory(bytes);
  if (!directory)
    return {
      extraRows: STRIP_COPIES * size.height,
      codedBytes: bytes.length,
      compression: undefined,
      samples: undefined,
    };
  const tag = (number: number) => directory(number)?.[0];
  const compression = tag(COMPRESSION) ?? UNCOMPRESSED;
  const tileWidth = tag(TILE_WIDTH);
  const tileLength = tag(TILE_LENGTH);
  const extraRows =
    tileWidth && tileLength
      ? tileRows(size, { width: tileWidth, height: tileLength })
      : stripRows(tag, size.height, compression);
  const coded = directory(TILE_BYTE_COUNTS) ?? directory(STRIP_BYTE_COUNTS) ?? [];
  // libtiff takes a single strip without compression for many.
  const divided = compression === UNCOMPRESSED && coded.length === 1;
  const largest = coded.reduce((most, count) => Math.max(most, count), 0);
  const codedBytes = divided ? 0 : Math.min(largest, bytes.length);
  return { extraRows, codedBytes, compression, samples: tag(SAMPLES_PER_PIXEL) };
}

/** One tile as decoded, and two rows of them. */
function tileRows({ width, height }: TargetSize, tile: TargetSize): number {
  return (
    (tile.width * tile.height) / width + Math.min(2 * tile.height, height) - Math.min(SPARED_ROWS, height)
  );
}

function stripRows(tag: (number: number) => number | undefined, height: number, compression: number): number {
  const rows = Math.min(tag(ROWS_PER_STRIP) ?? height, height);
  if (tag(PLANAR_CONFIGURATION) === SEPARATE_PLANES) return PLANE_COPIES * rows;
  if (tag(PHOTOMETRIC) === YCBCR) return (compression === JPEG ? STRIP_COPIES : RGBA_COPIES) * rows;
  // A single one without compression is taken for many.
  const divided = compression === UNCOMPRESSED && rows === height;
  return divided || rows > LONGEST_STRIP ? 0 : STRIP_COPIES * rows;
}

/**
 * The SHORT, LONG and LONG8 values of the first directory by tag (TIFF 6.0, section 2, and BigTIFF, which has 64-bit
 * offsets and counts); undefined where there is none.
 */
function firstDirectory(bytes: Uint8Array): ((tag: number) => number[] | undefined) | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.byteLength < 16) return undefined;
  const little = bytes[0] === 0x49;
  const big = view.getUint16(2, little) === 43;
  const offset = (at: number) => (big ? Number(view.getBigUint64(at, little)) : view.getUint32(at, little));
  const [countBytes, entryBytes, offsetBytes] = big ? [8, 20, 8] : [2, 12, 4];
  const start = offset(big ? 8 : 4);
  if (start + countBytes > view.byteLength) return undefined;
  const first = start + countBytes;
  const end = first + entryBytes * (big ? offset(start) : view.getUint16(start, little));
  if (end > view.byteLength) return undefined;
  return (tag) => {
    for (let at = first; at < end; at += entryBytes)
      if (view.getUint16(at, little) === tag) return values(at);
    return undefined;
  };

  /** Those of the entry at `at` that lie within the file: in the entry itself, or where it points to. */
  function values(at: number): number[] {
    const size = VALUE_BYTES[view.getUint16(at + 2, little)];
    if (size === undefined) return [];
    const count = offset(at + 4);
    const from = size * count > offsetBytes ? offset(at + 4 + offsetBytes) : at + 4 + offsetBytes;
    const found: number[] = [];
    for (let i = from; i + size <= view.byteLength && found.length < count; i += size)
      found.push(
        size === 2
          ? view.getUint16(i, little)
          : size === 4
            ? view.getUint32(i, little)
            : Number(view.getBigUint64(i, little)),
      );
    return found;
  }
}
