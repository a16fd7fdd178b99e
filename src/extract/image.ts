// Images: what the header says, and the pixels as one small RGB picture.

import type { Metadata } from 'sharp';
import { codeOf, messageOf, SpillwayError } from '../util/errors.js';
import {
  type DecoderTraits,
  decoderCost,
  IMAGE_SIDE,
  type ImageFormat,
  type TargetSize,
} from './decoder-cost.js';
import { type Exif, readExif } from './exif.js';
import { isSrgbProfile } from './icc.js';
import { isTransposed, upright } from './orientation.js';
import { loadSharp } from './sharp.js';
import { rowsAtOnce } from './tiff.js';

/** The picture that an image is decoded to, as displayed. */
export interface ImageTarget {
  readonly width: number;
  readonly height: number;
  /**
   * `cover`: the middle, as much as fills it; `contain`: all of it in the middle of black; `fill`: all of it, regardless
   * of its aspect. The middle of an image that is turned or flipped may lie a pixel aside.
   */
  readonly fit: 'cover' | 'contain' | 'fill';
}

/** What is known of an image before it is decoded. Of several pages or frames, the first or the primary one. */
export interface ImageHeader extends DecoderTraits {
  /** As displayed, orientation applied. */
  readonly width: number;
  readonly height: number;
  /** EXIF orientation, 1 to 8, of the pixels as stored. */
  readonly orientation: number;
  /** What {@link decodeImage} makes of it. */
  readonly target: ImageTarget;
  /** Bytes that decoding takes at its peak, to be reserved before {@link decodeImage}. */
  readonly costBytes: number;
  /** The raw blocks, views of memory of their own. */
  readonly exif: Uint8Array | undefined;
  readonly icc: Uint8Array | undefined;
}

/** What an image says of itself beside its pixels. */
export interface ImageMetadata {
  readonly exif?: Exif;
  /** Sentences about metadata that could not be read. */
  readonly warnings: readonly string[];
}

/** What images decode to, row by row: red, green, blue. */
export interface DecodedImage {
  /** `target.width × target.height × 3` bytes, owned by the caller. */
  readonly pixels: Uint8Array;
  readonly metadata: ImageMetadata;
}

/** libvips' own default: (2^14 − 1)². */
export const DEFAULT_MAX_PIXELS = 0x3fff ** 2;

const SAMPLE_BYTES: Readonly<Record<string, number>> = { uchar: 1, char: 1, ushort: 2, short: 2, double: 8 };
const WHITE = { r: 255, g: 255, b: 255 };
const BLACK = { r: 0, g: 0, b: 0 };
const SQUARE: ImageTarget = { width: IMAGE_SIDE, height: IMAGE_SIDE, fit: 'fill' };

/**
 * Reads the header of an image that is to be decoded to `target` (default: a square of {@link IMAGE_SIDE}, without
 * regard to the aspect) without decoding it; reserve `costBytes` before {@link decodeImage}. Rejects with
 * `ERR_DECODE` where the bytes are no image of a known format or its header is broken, `ERR_PIXEL_LIMIT` where it
 * has more than `maxPixels` (default 268,402,689), `ERR_MISSING_DEPENDENCY` without sharp. `bytes` must not change
 * until the promise settles.
 */
export async function openImage(
  bytes: Uint8Array,
  { maxPixels = DEFAULT_MAX_PIXELS, target = SQUARE }: { maxPixels?: number; target?: ImageTarget } = {},
): Promise<ImageHeader> {
  const container = imageFormatOf(bytes);
  if (!container)
    throw new SpillwayError(
      'ERR_DECODE',
      `expected a JPEG, PNG, WebP, GIF, TIFF, AVIF or HEIF image but received ${describeStart(bytes)}`,
    );
  const sharp = await loadSharp();
  const metadata = await sharp(bytes, { limitInputPixels: false })
    .metadata()
    .catch((error: unknown) => {
      throw decodeError(container, error);
    });
  const header = headerOf(bytes, metadata, target);
  const pixels = header.width * header.height;
  if (pixels > maxPixels)
    throw new SpillwayError(
      'ERR_PIXEL_LIMIT',
      `expected an image of at most ${maxPixels} pixels but it has ${pixels} (${header.width} × ${header.height})`,
    );
  return header;
}

/**
 * Decodes to sRGB without alpha (on white), resized to the header's target, upright. The result depends on nothing but the bytes. Rejects with `ERR_DECODE` where the pixel data is
 * broken or cut short, `ERR_OUT_OF_MEMORY` where the decoder found no memory. `bytes` must not change until the
 * promise settles.
 */
export async function decodeImage(bytes: Uint8Array, header: ImageHeader): Promise<DecodedImage> {
  const sharp = await loadSharp();
  // openImage has judged the number of pixels; the profile counts only where it changes something.
  const ignoreIcc = header.icc !== undefined && isSrgbProfile(header.icc);
  const { target, orientation } = header;
  const stored = asStored(target, orientation);
  const decoded = await sharp(bytes, { failOn: 'error', limitInputPixels: false, ignoreIcc })
    .resize(stored.width, stored.height, { fit: target.fit, background: BLACK })
    .flatten({ background: WHITE })
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer()
    .catch((error: unknown) => {
      throw decodeError(header.format, error);
    });
  const warnings: string[] = [];
  const exif = header.exif && readExif(header.exif, warnings);
  return {
    pixels: upright(decoded, stored, orientation),
    metadata: exif ? { exif, warnings } : { warnings },
  };
}

/** A size as displayed, along the sides of the pixels as stored. */
function asStored({ width, height }: TargetSize, orientation: number): TargetSize {
  return isTransposed(orientation) ? { width: height, height: width } : { width, height };
}

function headerOf(bytes: Uint8Array, metadata: Metadata, target: ImageTarget): ImageHeader {
  const said = metadata.orientation ?? 1;
  const orientation = Number.isInteger(said) && said >= 1 && said <= 8 ? said : 1;
  const stored: DecoderTraits = {
    format: formatOf(metadata),
    width: metadata.width,
    height: metadata.height,
    channels: metadata.channels,
    sampleBytes: SAMPLE_BYTES[metadata.depth] ?? 4,
    progressive: metadata.isProgressive,
    subsampling: metadata.chromaSubsampling,
    // A simple lossy file starts with the chunk VP8; an extended one may hold either, and lossless transparency.
    lossless: metadata.format === 'webp' && bytes[15] !== 0x20,
    rowsAtOnce: metadata.format === 'tiff' ? rowsAtOnce(bytes, metadata.height) : 0,
  };
  return {
    ...stored,
    // Swapping twice is no swap, so the same function leads back.
    ...asStored(stored, orientation),
    orientation,
    target,
    costBytes: decoderCost(stored, asStored(target, orientation)),
    exif: metadata.exif,
    icc: metadata.icc,
  };
}

function formatOf({ format, compression }: Metadata): ImageFormat {
  if (format === 'heif') return compression === 'av1' ? 'avif' : 'heif';
  return format as ImageFormat;
}

/** The container by its first 32 bytes, so that nothing else reaches a decoder (libvips would also open SVG and PDF). */
export function imageFormatOf(bytes: Uint8Array): ImageFormat | undefined {
  const start = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 32)).toString('latin1');
  if (start.startsWith('\xff\xd8\xff')) return 'jpeg';
  if (start.startsWith('\x89PNG\r\n\x1a\n')) return 'png';
  if (/^RIFF.{4}WEBP/s.test(start)) return 'webp';
  if (/^GIF8[79]a/.test(start)) return 'gif';
  if (/^(II[*+]\0|MM\0[*+])/.test(start)) return 'tiff';
  if (/^.{4}ftypavi[fs]/s.test(start)) return 'avif';
  if (/^.{4}ftyp(hei|hev|mif1|msf1)/s.test(start)) return 'heif';
  return undefined;
}

function describeStart(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'an empty file';
  const start = Buffer.from(bytes.subarray(0, 16));
  return /^[\t\n\r -~]+$/.test(start.toString('latin1'))
    ? `text that starts with ${JSON.stringify(start.toString('latin1'))}`
    : `bytes that start with ${start.toString('hex')}`;
}

/**
 * Memory is the machine's affair; any other failure follows from the bytes. libvips keeps its messages in one buffer
 * for all threads, so beside other images its text may be another's or missing: it is only the cause, never a result.
 */
function decodeError(format: ImageFormat, error: unknown): unknown {
  if (codeOf(error) !== undefined) return error;
  return /out of memory|unable to allocate/i.test(messageOf(error))
    ? new SpillwayError(
        'ERR_OUT_OF_MEMORY',
        `expected memory to decode a ${format} image but there was none`,
        {
          cause: error,
        },
      )
    : new SpillwayError(
        'ERR_DECODE',
        `expected a whole ${format} image but its data is broken or cut short`,
        { cause: error },
      );
}
