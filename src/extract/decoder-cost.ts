// What decoding an image to a small square takes at its peak, as a function of what its header says.
//
// Measured by `node scripts/measure-decoders/main.mjs` with sharp 0.35.5 (libvips 8.18.7) on glibc: growth of the
// resident set in a fresh process that has decoded one thumbnail before, 30 kinds of image from 320×240 to 12
// megapixels, one thread per image, the image's own bytes not counted. With its margin each formula lies above
// all of its measurements, by 5 to 40 % for large images. test/extract/decoder-cost.test.ts repeats a part of it.

export type ImageFormat = 'jpeg' | 'png' | 'webp' | 'gif' | 'tiff' | 'avif' | 'heif';

/** Pixels on a side of the square that images are decoded to unless told. */
export const IMAGE_SIDE = 256;

/** Width and height in pixels that an image is decoded to, in the orientation of the pixels as stored. */
export interface TargetSize {
  readonly width: number;
  readonly height: number;
}

const SQUARE: TargetSize = { width: IMAGE_SIDE, height: IMAGE_SIDE };

/** What a decoder's appetite depends on. Width and height are those of the pixels as stored. */
export interface DecoderTraits {
  readonly format: ImageFormat;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly sampleBytes: number;
  /** JPEG of several scans, interlaced PNG. */
  readonly progressive: boolean;
  /** JPEG: `4:2:0` and so on, undefined where unknown. */
  readonly subsampling: string | undefined;
  /** WebP that is lossless, or whose transparency is. */
  readonly lossless: boolean;
  /** TIFF: rows of a strip or tile that are decoded as one; 0 for other formats. */
  readonly rowsAtOnce: number;
}

const MB = 1e6;
const MARGIN = 1.1;
/** A scratch image, the square, and the pages that a decoder's first use touches. */
const BASE = 1.8 * MB;
/** Converting CMYK goes through tables of a profile. */
const CMYK_BASE = 5 * MB;
/** A pixel of the target: the picture, its copy without alpha or upright, and rows on their way. */
const TARGET_BYTES = 6;
const AVIF_BASE = 4 * MB;
const DEEP_AVIF_BASE = 6.5 * MB;
/** From here on glibc always maps memory afresh (M_MMAP_THRESHOLD, mallopt(3)): what is not touched is not resident. */
const ALWAYS_MAPPED = 2 ** 25;

/** Bytes to reserve before an image of these traits is decoded to `target`. */
export function decoderCost(traits: DecoderTraits, target: TargetSize = SQUARE): number {
  return Math.ceil(MARGIN * (unpaddedCost(traits, target) + targetCost(target)));
}

/** What a larger target takes beyond the square that the formulas were fitted to. */
function targetCost({ width, height }: TargetSize): number {
  return Math.max(0, width * height - IMAGE_SIDE ** 2) * TARGET_BYTES;
}

/** How many times an image is larger than its target, along the side where that is less. */
function reduction({ width, height }: TargetSize, target: TargetSize): number {
  return Math.min(width / target.width, height / target.height);
}

function unpaddedCost(traits: DecoderTraits, target: TargetSize): number {
  const { width, height, channels, sampleBytes } = traits;
  const pixels = width * height;
  const pixelBytes = channels * sampleBytes;
  switch (traits.format) {
    case 'jpeg':
      return jpegCost(traits, target);
    case 'png':
      // An interlaced image is complete only at its end, so all of it is held.
      return traits.progressive
        ? BASE + pixels * pixelBytes + heldRows(width, height, pixelBytes)
        : BASE + streamedRows(width, height, pixelBytes);
    case 'gif':
      // The canvas that frames are drawn on: RGBA.
      return BASE + pixels * 4 + streamedRows(width, height, channels);
    case 'tiff':
      // Besides, a strip or a row of tiles: as decoded, and as copied from there.
      return BASE + streamedRows(width, height, pixelBytes) + 2 * traits.rowsAtOnce * width * pixelBytes;
    case 'webp':
      return webpCost(traits, target);
    case 'avif':
    case 'heif':
      // Planes of the AV1 decoder with borders, of libheif, and RGB, all alive at once; wider above 8 bits.
      if (sampleBytes > 1) return DEEP_AVIF_BASE + pixels * 29.5;
      return AVIF_BASE + pixels * (channels > 3 ? 20.5 : 19.5);
  }
}

/** Baseline is decoded in strips and already smaller; several scans need all coefficients, two bytes each. */
function jpegCost(traits: DecoderTraits, target: TargetSize): number {
  const { width, height, channels, progressive, subsampling } = traits;
  const shrink = jpegShrink(reduction(traits, target));
  const rows = streamedRows(Math.ceil(width / shrink), Math.ceil(height / shrink), channels);
  // Whole blocks of 16 × 16.
  const padded = Math.ceil(width / 16) * Math.ceil(height / 16) * 256;
  const coefficients = progressive ? padded * 2 * samplesPerPixel(channels, subsampling) : 0;
  return (channels === 4 ? CMYK_BASE : BASE) + coefficients + rows;
}

function samplesPerPixel(channels: number, subsampling: string | undefined): number {
  if (channels !== 3) return channels;
  if (subsampling === '4:2:0') return 1.5;
  return subsampling === '4:2:2' ? 2 : 3;
}

/** How far the JPEG decoder shrinks while it decodes; sharp steps back where the whole part is just that factor. */
function jpegShrink(factor: number): number {
  if (factor >= 9) return 8;
  if (factor >= 5) return 4;
  return factor >= 3 ? 2 : 1;
}

/**
 * A canvas for frames at full size, of which a still image touches only what the allocator clears; the picture
 * itself where it is lossless; and a smaller one that it is scaled to while it is decoded.
 */
function webpCost(traits: DecoderTraits, target: TargetSize): number {
  const { width, height, channels, lossless } = traits;
  const scale = Math.max(1, reduction(traits, target));
  const canvas = Math.min(width * height * 4.2, ALWAYS_MAPPED);
  const picture = lossless ? width * height * 4.1 : 0;
  const scaled = ((width * height) / scale ** 2) * 12;
  return BASE + canvas + picture + scaled + heldRows(width / scale, height / scale, channels);
}

/**
 * Rows that resizing keeps while they stream by: as read, and again as shrunk in height but not yet in width. However
 * tall the image, a band of some 1,800 rows is enough.
 */
function streamedRows(width: number, height: number, pixelBytes: number): number {
  return width * pixelBytes * Math.min(height + 560, 1800);
}

/** The same where the whole image lies in memory anyway, and rows are read from there. */
function heldRows(width: number, height: number, pixelBytes: number): number {
  return width * pixelBytes * Math.min(height + 100, 1200);
}
