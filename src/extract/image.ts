// Images: what the header says, and the pixels as one small RGB picture.

import type { Metadata } from 'sharp';
import { native } from '../native/load.js';
import { codeOf, messageOf, SpillwayError } from '../util/errors.js';
import {
  type DecoderTraits,
  decoderCost,
  IMAGE_SIDE,
  type ImageFormat,
  LIMITED,
  type TargetSize,
  UNLIMITED,
} from './decoder-cost.js';
import { type Exif, readExif } from './exif.js';
import { type HeifTraits, readHeif } from './heif.js';
import { isSrgbProfile } from './icc.js';
import { readJpeg } from './jpeg.js';
import { isTransposed, upright } from './orientation.js';
import { codecName, describeStart, unsupportedMode } from './refusal.js';
import { loadSharp } from './sharp.js';
import { readTiff } from './tiff.js';
import { readWebp } from './webp.js';

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
  /** The raw block, a view of memory of its own. */
  readonly exif: Uint8Array | undefined;
  /** Whether the image's profile is left aside: where it changes nothing. */
  readonly ignoreIcc: boolean;
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
  const format = imageFormatOf(bytes);
  if (!format)
    throw new SpillwayError(
      'ERR_DECODE',
      `expected a JPEG, PNG, WebP, GIF, TIFF or AVIF image but received ${describeStart(bytes)}`,
    );
  const heif = format === 'avif' ? readHeif(bytes) : undefined;
  if (heif && heif.codec !== 'av01')
    throw new SpillwayError(
      'ERR_DECODE',
      `expected AV1, the codec of HEIF and AVIF images that sharp decodes, but received ${codecName(heif.codec)}`,
    );
  const sharp = await loadSharp();
  const metadata = await sharp(bytes, { limitInputPixels: false })
    .metadata()
    .catch((error: unknown) => {
      throw decodeError(format, bytes, error);
    });
  const ignoreIcc = metadata.icc !== undefined && isSrgbProfile(metadata.icc);
  const header = headerOf({ format, bytes, metadata, heif, ignoreIcc }, target);
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
  const { target, orientation, ignoreIcc } = header;
  const stored = asStored(target, orientation);
  // openImage has judged the number of pixels.
  const decoded = await sharp(bytes, { failOn: 'error', limitInputPixels: false, ignoreIcc })
    .resize(stored.width, stored.height, { fit: target.fit, background: BLACK })
    .flatten({ background: WHITE })
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer()
    .catch((error: unknown) => {
      throw decodeError(header.format, bytes, error);
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

interface Opened {
  readonly format: ImageFormat;
  readonly bytes: Uint8Array;
  readonly metadata: Metadata;
  readonly heif: HeifTraits | undefined;
  readonly ignoreIcc: boolean;
}

function headerOf(opened: Opened, target: ImageTarget): ImageHeader {
  const { metadata } = opened;
  const said = metadata.orientation ?? 1;
  const orientation = Number.isInteger(said) && said >= 1 && said <= 8 ? said : 1;
  const stored = traitsOf(opened);
  return {
    ...stored,
    // Swapping twice is no swap, so the same function leads back.
    ...asStored(stored, orientation),
    orientation,
    target,
    costBytes: decoderCost(stored, asStored(target, orientation)),
    exif: metadata.exif,
    ignoreIcc: opened.ignoreIcc,
  };
}

/** What the decoder's appetite depends on: what sharp tells, and what it does not. */
function traitsOf({ format, bytes, metadata, heif, ignoreIcc }: Opened): DecoderTraits {
  const { width, height, channels } = metadata;
  const jpeg = format === 'jpeg' ? readJpeg(bytes) : undefined;
  const webp = format === 'webp' ? readWebp(bytes) : undefined;
  const tiff = format === 'tiff' ? readTiff(bytes, { width, height }) : undefined;
  return {
    format,
    width,
    height,
    channels,
    sampleBytes: SAMPLE_BYTES[metadata.depth] ?? 4,
    alpha: metadata.hasAlpha,
    cmyk: metadata.space === 'cmyk',
    profile: metadata.icc !== undefined && !ignoreIcc,
    progressive: metadata.isProgressive,
    codedSamples: jpeg?.samplesPerPixel ?? heif?.samplesPerPixel ?? channels,
    lossless: jpeg?.lossless ?? webp?.lossless ?? false,
    framePixels: webp?.framePixels ?? 0,
    extraRows: tiff?.extraRows ?? 0,
    tile: heif?.tile,
    // libheif copies the whole file.
    codedBytes: tiff?.codedBytes ?? (heif ? bytes.length : 0),
    mappedBytes: native().limitArenas ? LIMITED : UNLIMITED,
  };
}

/** The container by its first 32 bytes, so that nothing else reaches a decoder (libvips would also open SVG and PDF). */
export function imageFormatOf(bytes: Uint8Array): ImageFormat | undefined {
  const start = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 32)).toString('latin1');
  if (start.startsWith('\xff\xd8\xff')) return 'jpeg';
  if (start.startsWith('\x89PNG\r\n\x1a\n')) return 'png';
  if (/^RIFF.{4}WEBP/s.test(start)) return 'webp';
  if (/^GIF8[79]a/.test(start)) return 'gif';
  if (/^(II[*+]\0|MM\0[*+])/.test(start)) return 'tiff';
  if (/^.{4}ftyp(avi[fs]|hei|hev|mif|msf)/s.test(start)) return 'avif';
  return undefined;
}

/**
 * Memory is the machine's affair; any other failure follows from the bytes. libvips keeps its messages in one buffer
 * for all threads, so beside other images its text may be another's or missing: it is only the cause, never a result.
 */
function decodeError(format: ImageFormat, bytes: Uint8Array, cause: unknown): unknown {
  if (codeOf(cause) !== undefined) return cause;
  if (/out of memory|unable to allocate/i.test(messageOf(cause)))
    return new SpillwayError(
      'ERR_OUT_OF_MEMORY',
      `expected memory to decode a ${format} image but there was none`,
      { cause },
    );
  const reason =
    unsupportedMode(format, bytes) ?? `expected a whole ${format} image but its data is broken or cut short`;
  return new SpillwayError('ERR_DECODE', reason, { cause });
}
