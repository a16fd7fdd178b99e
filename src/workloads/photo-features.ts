// What the sums of the graph `photo-features` say about a photo: perceptual hash, sharpness, exposure, colour.

import { IMAGE_SIDE } from '../extract/decoder-cost.js';
import type { ImageHeader, ImageMetadata } from '../extract/image.js';
import { invalidArgument } from '../util/errors.js';

/** The graph's input: RGB, row by row, of the whole photo resized to a square of this many pixels on a side. */
export const PHOTO_SIDE = IMAGE_SIDE;

/** Numbers per photo in the graph's outputs. */
export const DCT_LENGTH = 64;
export const SUMS_LENGTH = 13;

export interface PhotoFeatures {
  /**
   * 64 bits as 16 hexadecimal digits: which of the low 8×8 DCT coefficients of the luma lie above the median of
   * those without the mean. Null where there is no structure to compare.
   */
  readonly phash: string | null;
  /** Variance of the luma's Laplacian in squared levels of 0–255, at 256 × 256: the larger, the sharper. */
  readonly sharpness: number;
  /** Luma: mean and standard deviation in 0–255; shares (0–1) of pixels within two levels of black and of white. */
  readonly exposure: {
    readonly mean: number;
    readonly deviation: number;
    readonly dark: number;
    readonly bright: number;
  };
  /** Mean and standard deviation of red, green and blue in 0–255; colourfulness: 0 grey, 33 moderate, above 80 strong. */
  readonly colour: {
    readonly mean: Channels;
    readonly deviation: Channels;
    readonly colourfulness: number;
  };
}

type Channels = readonly [red: number, green: number, blue: number];

/** What a photo's result says of its file. */
export interface PhotoFile {
  readonly format: string;
  /** As displayed, orientation applied. */
  readonly width: number;
  readonly height: number;
  readonly orientation: number;
  readonly exif?: ImageMetadata['exif'];
  readonly warnings?: readonly string[];
}

/** What a photo's result says of its file and its pixels. */
export type PhotoData = PhotoFile & PhotoFeatures;

const PIXELS = PHOTO_SIDE * PHOTO_SIDE;
/** The Laplacian exists where a pixel has all four neighbours. */
const INNER_PIXELS = (PHOTO_SIDE - 2) ** 2;
/** The graph's luma is 19R + 38G + 7B. */
const LUMA = [19, 38, 7] as const;
const LUMA_SCALE = 64;
/** Below half a level of low-frequency contrast, what is left of a flat picture is its encoder's rounding. */
const FLAT_DEVIATION = 0.5;

/**
 * The features of photo `index` of a batch, from the graph's outputs `dct` [n, 64] and `sums` [n, 13], which
 * hold exact integers. Deterministic: only sums, products, quotients and square roots, rounded to four decimals.
 */
export function photoFeatures(dct: Float64Array, sums: Float64Array, index = 0): PhotoFeatures {
  const { laplacian, laplacian2, dark, bright, ...moments } = named(row(sums, SUMS_LENGTH, index));
  const { r, g, b, rr, gg, bb } = moments;
  const luma = combine(moments, ...LUMA);
  return {
    phash: perceptualHash(row(dct, DCT_LENGTH, index)),
    sharpness: round(variance(laplacian, laplacian2, INNER_PIXELS) / LUMA_SCALE ** 2),
    exposure: {
      mean: round(luma.sum / PIXELS / LUMA_SCALE),
      deviation: round(deviation(luma) / LUMA_SCALE),
      dark: round(dark / PIXELS),
      bright: round(bright / PIXELS),
    },
    colour: {
      mean: [round(r / PIXELS), round(g / PIXELS), round(b / PIXELS)],
      deviation: [
        round(deviation({ sum: r, squares: rr })),
        round(deviation({ sum: g, squares: gg })),
        round(deviation({ sum: b, squares: bb })),
      ],
      colourfulness: round(colourfulness(moments)),
    },
  };
}

/** A photo's result: what its header, its metadata and a graph say. Absent fields are left out. */
export function photoData<T extends object>(
  header: ImageHeader,
  metadata: ImageMetadata,
  features: T,
): PhotoFile & T {
  return {
    format: header.format,
    width: header.width,
    height: header.height,
    orientation: header.orientation,
    ...(metadata.exif && { exif: metadata.exif }),
    ...features,
    ...(metadata.warnings.length > 0 && { warnings: metadata.warnings }),
  };
}

/**
 * pHash: the signs of low DCT coefficients against their median (Zauner, "Implementation and Benchmarking of
 * Perceptual Image Hash Functions", 2010, after Marr). The first bit stands for the mean, the others follow row
 * by row. Comparing integers, it is exact.
 */
function perceptualHash(dct: Float64Array): string | null {
  const varying = dct.slice(1);
  if (lowFrequencyVariance(dct) < FLAT_DEVIATION ** 2) return null;
  const median = varying.sort()[varying.length >> 1] ?? 0;
  let hash = 0n;
  for (const coefficient of dct) hash = (hash << 1n) | (coefficient > median ? 1n : 0n);
  return hash.toString(16).padStart(16, '0');
}

/**
 * Variance in squared levels of the part of the picture that the coefficients describe. A coefficient comes
 * 1024² (constants), 64 (pooled pixels) and 64 (luma) times too large; by Parseval's theorem each of a 32×32
 * DCT-II counts 4 / 32⁴, or half of that in the first row and column.
 */
function lowFrequencyVariance(dct: Float64Array): number {
  const unit = 1024 ** 2 * 64 * LUMA_SCALE;
  let sum = 0;
  for (let i = 1; i < DCT_LENGTH; i++) {
    const edge = i < 8 || i % 8 === 0;
    sum += ((dct[i] ?? 0) / unit) ** 2 * (edge ? 2 : 4);
  }
  return sum / 32 ** 4;
}

/** The measure M3 of Hasler and Süsstrunk, "Measuring colourfulness in natural images", 2003. */
function colourfulness(moments: Moments): number {
  const redGreen = combine(moments, 1, -1, 0);
  // Twice their yellow-blue, (R + G) / 2 − B, to stay with integers.
  const yellowBlue = combine(moments, 1, 1, -2);
  const mean = Math.sqrt((redGreen.sum / PIXELS) ** 2 + (yellowBlue.sum / PIXELS / 2) ** 2);
  const spread = Math.sqrt(deviation(redGreen) ** 2 + (deviation(yellowBlue) / 2) ** 2);
  return spread + 0.3 * mean;
}

/** The graph's sums by name, in its order. */
function named(sums: Float64Array) {
  const at = (i: number) => sums[i] ?? 0;
  return {
    laplacian: at(0),
    laplacian2: at(1),
    dark: at(2),
    bright: at(3),
    r: at(4),
    g: at(5),
    b: at(6),
    rr: at(7),
    rg: at(8),
    rb: at(9),
    gg: at(10),
    gb: at(11),
    bb: at(12),
  };
}

function row(values: Float64Array, length: number, index: number): Float64Array {
  const found = values.subarray(index * length, (index + 1) * length);
  if (found.length === length) return found;
  throw invalidArgument('index', `a row of ${length} numbers within ${values.length}`, index);
}

interface Moments {
  readonly r: number;
  readonly g: number;
  readonly b: number;
  readonly rr: number;
  readonly rg: number;
  readonly rb: number;
  readonly gg: number;
  readonly gb: number;
  readonly bb: number;
}

interface Sums {
  readonly sum: number;
  readonly squares: number;
}

/** Sum and sum of squares of x·R + y·G + z·B over the image: integers below 2^53, so exact. */
function combine(m: Moments, x: number, y: number, z: number): Sums {
  return {
    sum: x * m.r + y * m.g + z * m.b,
    squares: x * x * m.rr + y * y * m.gg + z * z * m.bb + 2 * (x * y * m.rg + x * z * m.rb + y * z * m.gb),
  };
}

function deviation({ sum, squares }: Sums): number {
  return Math.sqrt(variance(sum, squares, PIXELS));
}

/** Never below zero, where rounding could take it. */
function variance(sum: number, squares: number, count: number): number {
  return Math.max(0, squares / count - (sum / count) ** 2);
}

function round(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}
