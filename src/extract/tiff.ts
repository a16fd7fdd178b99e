// How many rows of a TIFF are decoded as one: sharp does not tell, and a single strip can be the whole image.

const COMPRESSION = 259;
const ROWS_PER_STRIP = 278;
const PLANAR_CONFIGURATION = 284;
const TILE_LENGTH = 323;

/** libvips reads strips of more rows line by line where it can: unless they hold planes or JPEG. */
const LONGEST_STRIP = 128;

/** Rows of a tile or strip of the first page that are in memory together; `height` where that cannot be told. */
export function rowsAtOnce(bytes: Uint8Array, height: number): number {
  const tags = firstDirectory(bytes);
  if (!tags) return height;
  const tileRows = tags.get(TILE_LENGTH);
  if (tileRows !== undefined) return tileRows;
  const stripRows = Math.min(tags.get(ROWS_PER_STRIP) ?? height, height);
  const compression = tags.get(COMPRESSION);
  const whole = tags.get(PLANAR_CONFIGURATION) === 2 || compression === 6 || compression === 7;
  return whole ? stripRows : Math.min(stripRows, LONGEST_STRIP);
}

/** Single SHORT and LONG values of the first directory (TIFF 6.0, section 2); undefined for BigTIFF and broken files. */
function firstDirectory(bytes: Uint8Array): Map<number, number> | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.byteLength < 8) return undefined;
  const little = bytes[0] === 0x49;
  const start = view.getUint32(4, little);
  if (view.getUint16(2, little) !== 42 || start + 2 > view.byteLength) return undefined;
  const count = view.getUint16(start, little);
  if (start + 2 + 12 * count > view.byteLength) return undefined;
  const tags = new Map<number, number>();
  for (let at = start + 2; at < start + 2 + 12 * count; at += 12) {
    const short = view.getUint16(at + 2, little) === 3;
    tags.set(
      view.getUint16(at, little),
      short ? view.getUint16(at + 8, little) : view.getUint32(at + 8, little),
    );
  }
  return tags;
}
