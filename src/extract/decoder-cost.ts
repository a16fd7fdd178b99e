// What decoding an image to a small square takes at its peak, as a function of what its header says.
//
// Measured by `node scripts/measure-decoders/main.mjs` with sharp 0.35.5 (libvips 8.18.7, libaom 3.15.1) on glibc: every
// mode of six formats that sharp reads here, from 160×120 to 24 megapixels, long and narrow ones among them, each in a
// fresh process that has decoded one thumbnail and given back what it did not need: the growth of the resident set,
// pages of the library's code included, and in a memory cgroup of its own the growth of the charge, which is 3 to 5 MB
// less. One thread per image, blocks of 4 MiB and more mapped (loadSharp sees to both); the image's own bytes not
// counted. The estimates lie 1 to 63 % above the larger one of the two, 17 % in the median, and further above only
// where the peak is below 10 MB, or for grids of AVIF tiles without the addon. Two images decoded at once take at most
// the sum of both.
// test/extract/decoder-cost-measured.test.ts repeats a part of it, or all with SPILLWAY_DECODERS=all.
//
// What does not lower a peak: sequentialRead (sharp 0.35.5 does not read the option). Two threads per image instead of
// one add 2 to 4 MB, four 4 to 9.

export type ImageFormat = 'jpeg' | 'png' | 'webp' | 'gif' | 'tiff' | 'avif';

/** Pixels on a side of the square that images are decoded to unless told. */
export const IMAGE_SIDE = 256;

/** Width and height in pixels that an image is decoded to, in the orientation of the pixels as stored. */
export interface TargetSize {
  readonly width: number;
  readonly height: number;
}

const SQUARE: TargetSize = { width: IMAGE_SIDE, height: IMAGE_SIDE };

/** Blocks of the C heap from here on are mapped by themselves: by `limitArenas`, and by glibc at the latest (mallopt(3)). */
export const LIMITED = 2 ** 22;
export const UNLIMITED = 2 ** 25;

/** What a decoder's appetite depends on. Width and height are those of the pixels as stored. */
export interface DecoderTraits {
  readonly format: ImageFormat;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly sampleBytes: number;
  /** Whether one of the channels is transparency. */
  readonly alpha: boolean;
  readonly cmyk: boolean;
  /** Whether colours are converted through a profile that the image carries. */
  readonly profile: boolean;
  /** JPEG of several scans, interlaced PNG. */
  readonly progressive: boolean;
  /** JPEG and AVIF: coded samples of each pixel, transparency aside; 1.5 for 4:2:0. */
  readonly codedSamples: number;
  /** Predictive JPEG, lossless WebP. */
  readonly lossless: boolean;
  /** WebP that cannot be scaled while it is decoded, an animation with small frames: pixels of the first; else 0. */
  readonly framePixels: number;
  /** TIFF: rows as read that its strips or tiles hold in memory, beyond those of other formats; 0 for these. */
  readonly extraRows: number;
  /** AVIF: the size of a tile where the image is a grid of them; undefined where it is one piece. */
  readonly tile: TargetSize | undefined;
  /** Bytes of the file that are copied: of an AVIF all, of a TIFF those of a strip or tile. */
  readonly codedBytes: number;
  /** {@link LIMITED} or {@link UNLIMITED}: what is not touched of larger blocks is not resident. */
  readonly mappedBytes: number;
}

const MB = 1e6;
const MARGIN = 1.06;
/** Code of the library, scratch images, the square. */
const BASE = 5 * MB;
/** Converting through a profile: the code for it, and tables. */
const PROFILE_BASE = 1.3 * MB;
const CMYK_BASE = 3.9 * MB;
/** A pixel of the target: the picture, and rows on their way. Its copy upright comes after the decoder is done. */
const TARGET_BYTES = 4;
const AVIF_BASE = 10.2 * MB;
/** libaom's notes on each block of 4 × 4 pixels, at most; soft pictures leave a tenth of them untouched. */
const AVIF_BLOCK_BYTES = 14.8;
/** Planes as libaom holds them, with borders, and as libheif copies them. */
const AVIF_PLANE_COPIES = 2.15;
/** Rows that resizing has in hand while the planes are still there. */
const AVIF_ROWS = 130;
/** libheif decodes so many tiles of a grid side by side; a thread's arena of the C heap keeps some free pages. */
const AVIF_THREADS = 4;
const AVIF_THREAD_BASE = 3 * MB;

/** What the WebP decoder and its scaler keep for each column. */
const WEBP_COLUMN_BYTES = 300;
/** A pixel of a WebP's transparency, which is decoded whole. */
const TRANSPARENCY_BYTES = 1.1;
/** Rows of a JPEG of predictive coding. */
const PREDICTED_ROWS = 560;

/** Bytes to reserve before an image of these traits is decoded to `target`. */
export function decoderCost(traits: DecoderTraits, target: TargetSize = SQUARE): number {
  const base = BASE + (traits.cmyk ? CMYK_BASE : traits.profile ? PROFILE_BASE : 0);
  return Math.ceil(
    MARGIN * (base + decoding(traits, target) + targetCost(target)) + coefficientBytes(traits),
  );
}

/** What a larger target takes beyond the square that the formulas were fitted to. */
function targetCost({ width, height }: TargetSize): number {
  return Math.max(0, width * height - IMAGE_SIDE ** 2) * TARGET_BYTES;
}

/** How many times an image is larger than its target, along the side where that is less. */
function reduction({ width, height }: TargetSize, target: TargetSize): number {
  return Math.min(width / target.width, height / target.height);
}

function decoding(traits: DecoderTraits, target: TargetSize): number {
  const { width, height, channels, sampleBytes } = traits;
  const pixels = width * height;
  switch (traits.format) {
    case 'jpeg':
      return jpegCost(traits, target);
    case 'png':
      // An interlaced image is complete only at its end, so all of it is held.
      return traits.progressive ? pixels * channels * sampleBytes + heldRows(traits) : streamedRows(traits);
    case 'gif':
      // The canvas that frames are drawn on: RGBA.
      return pixels * 4 + streamedRows(traits);
    case 'tiff':
      return traits.codedBytes + streamedRows(traits);
    case 'webp':
      return webpCost(traits, target);
    case 'avif':
      return avifCost(traits);
  }
}

/** A JPEG of several scans: all its coefficients, two bytes each, in whole blocks of 16 × 16; known without a margin. */
function coefficientBytes({ format, width, height, progressive, codedSamples }: DecoderTraits): number {
  if (format !== 'jpeg' || !progressive) return 0;
  return Math.ceil(width / 16) * Math.ceil(height / 16) * 256 * 2 * codedSamples;
}

/** What a JPEG takes beside its coefficients: it is decoded in strips and already smaller. */
function jpegCost(traits: DecoderTraits, target: TargetSize): number {
  const { width, height, channels, lossless } = traits;
  const shrink = jpegShrink(reduction(traits, target));
  // Predictive coding is shrunk after it is decoded.
  const unshrunk = lossless && shrink > 1 ? width * channels * PREDICTED_ROWS : 0;
  const shrunk = { ...traits, width: Math.ceil(width / shrink), height: Math.ceil(height / shrink) };
  return unshrunk + streamedRows(shrunk);
}

/** How far the JPEG decoder shrinks while it decodes; sharp steps back where the whole part is just that factor. */
function jpegShrink(factor: number): number {
  if (factor >= 9) return 8;
  if (factor >= 5) return 4;
  return factor >= 3 ? 2 : 1;
}

/**
 * A canvas at full size that is cleared, by touching it unless it is mapped, and then not used; the picture or its
 * transparency as decoded; and two smaller ones that it is scaled to meanwhile.
 */
function webpCost(traits: DecoderTraits, target: TargetSize): number {
  const { width, height, alpha, lossless, framePixels, mappedBytes } = traits;
  const canvas = width * height * 4;
  const cleared = canvas < mappedBytes ? canvas : 0;
  if (framePixels > 0) return cleared + canvas + framePixels * 4 + streamedRows(traits);
  const scale = Math.max(1, reduction(traits, target));
  const decoded = lossless ? canvas : alpha ? width * height * TRANSPARENCY_BYTES : 0;
  const scaled = { ...traits, width: width / scale, height: height / scale };
  return cleared + decoded + width * WEBP_COLUMN_BYTES + 2 * (canvas / scale ** 2) + heldRows(scaled);
}

/** Planes and notes of the AV1 decoder and planes of libheif are alive at once; of a grid, those of a few tiles. */
function avifCost(traits: DecoderTraits): number {
  const { width, height, channels, sampleBytes, codedSamples, tile, codedBytes, mappedBytes } = traits;
  const planes = codedSamples * sampleBytes;
  const decoder = AVIF_BLOCK_BYTES + AVIF_PLANE_COPIES * planes;
  const pixels = width * height;
  if (!tile)
    return AVIF_BASE - BASE + 2 * codedBytes + pixels * decoder + width * AVIF_ROWS * channels * sampleBytes;
  const tiles = Math.ceil(width / tile.width) * Math.ceil(height / tile.height);
  const threads = Math.min(tiles, AVIF_THREADS);
  const atOnce = threads * tile.width * tile.height * decoder;
  const picture = pixels * channels * sampleBytes;
  // Only 4:2:0 is made interleaved RGB of in one step.
  const converted = picture + (codedSamples === 1.5 ? heldRows(traits) : Math.max(heldRows(traits), picture));
  const base = AVIF_BASE - BASE + threads * AVIF_THREAD_BASE;
  // What the tiles' decoders free stays in the arenas of their threads unless these are limited.
  const peak = mappedBytes > LIMITED ? 2 * atOnce + converted : Math.max(atOnce, converted);
  return base + codedBytes + pixels * planes + peak;
}

/**
 * Rows that resizing keeps while they stream by, some as read, others without transparency and already shrunk in height
 * but not yet in width. However tall the image, a band of some 1,800 rows is enough.
 */
function streamedRows(traits: DecoderTraits): number {
  const { height, extraRows } = traits;
  const read = Math.min(height + 300, 850);
  return rowBytes(traits, read + extraRows, Math.min(height + 560, 1800) - read);
}

/** The same where the whole image lies in memory anyway, and rows are read from there. */
function heldRows(traits: DecoderTraits): number {
  const read = Math.min(traits.height, 190);
  return rowBytes(traits, read, Math.min(traits.height + 100, 1200) - read);
}

function rowBytes(traits: DecoderTraits, read: number, shrunk: number): number {
  const { width, channels, sampleBytes, alpha, cmyk } = traits;
  // What was CMYK is by then of 8 bits.
  const colour = cmyk ? channels : (channels - Number(alpha)) * sampleBytes;
  return width * (read * channels * sampleBytes + shrunk * colour);
}
