// What photos say of themselves in EXIF: when, with what, where.

import readTags from 'exif-reader';
import { messageOf } from '../util/errors.js';

export interface Exif {
  /** When the photo was taken, ISO 8601; with an offset only where the camera wrote one. */
  readonly date?: string;
  readonly camera?: { readonly make?: string; readonly model?: string };
  readonly lens?: string;
  /** Degrees, north and east positive; metres above the sea. */
  readonly gps?: { readonly latitude: number; readonly longitude: number; readonly altitude?: number };
}

type Tags = Readonly<Record<string, unknown>>;

/**
 * Reads an EXIF block. Never throws: what cannot be read is absent, and a sentence about it is added to
 * `warnings`. Undefined where nothing of interest is there.
 */
export function readExif(block: Uint8Array, warnings: string[]): Exif | undefined {
  try {
    const buffer = Buffer.from(block.buffer, block.byteOffset, block.byteLength);
    const { Image, Photo, GPSInfo } = readTags(buffer) as Partial<
      Record<'Image' | 'Photo' | 'GPSInfo', Tags | null>
    >;
    const exif = {
      ...optional('date', dateOf(Photo ?? {}, Image ?? {})),
      ...optional('camera', cameraOf(Image ?? {})),
      ...optional('lens', text(Photo?.LensModel)),
      ...optional('gps', GPSInfo ? positionOf(GPSInfo, warnings) : undefined),
    };
    return Object.keys(exif).length > 0 ? exif : undefined;
  } catch (error) {
    warnings.push(`EXIF cannot be read: ${messageOf(error)}`);
    return undefined;
  }
}

/** The reader takes the camera's local time for UTC; here the zone is what the camera said, or nothing. */
function dateOf(photo: Tags, image: Tags): string | undefined {
  const candidates = [
    [photo.DateTimeOriginal, photo.OffsetTimeOriginal],
    [photo.DateTimeDigitized, photo.OffsetTimeDigitized],
    [image.DateTime, photo.OffsetTime],
  ];
  for (const [date, offset] of candidates) {
    if (!(date instanceof Date) || Number.isNaN(date.getTime())) continue;
    const zone = /^[+-]\d\d:\d\d$/.exec(text(offset) ?? '');
    return date.toISOString().slice(0, 19) + (zone?.[0] ?? '');
  }
  return undefined;
}

function cameraOf(image: Tags): Exif['camera'] {
  const camera = { ...optional('make', text(image.Make)), ...optional('model', text(image.Model)) };
  return Object.keys(camera).length > 0 ? camera : undefined;
}

function positionOf(gps: Tags, warnings: string[]): Exif['gps'] {
  if (gps.GPSLatitude === undefined && gps.GPSLongitude === undefined) return undefined;
  const latitude = degrees(gps.GPSLatitude, gps.GPSLatitudeRef, 'S', 90);
  const longitude = degrees(gps.GPSLongitude, gps.GPSLongitudeRef, 'W', 180);
  if (latitude === undefined || longitude === undefined) {
    warnings.push('EXIF holds a position that is none: its degrees are missing or out of range');
    return undefined;
  }
  const height = gps.GPSAltitude;
  const altitude =
    typeof height === 'number' && Number.isFinite(height)
      ? Math.round(height * 100) / (gps.GPSAltitudeRef === 1 ? -100 : 100)
      : undefined;
  return { latitude, longitude, ...optional('altitude', altitude) };
}

/** Degrees, minutes, seconds → degrees with seven decimals, about a centimetre. */
function degrees(value: unknown, reference: unknown, negative: string, limit: number): number | undefined {
  if (!Array.isArray(value)) return undefined;
  const [d, m = 0, s = 0] = value as number[];
  const sum = Number(d) + m / 60 + s / 3600;
  if (!(sum >= 0 && sum <= limit)) return undefined;
  return (Math.round(sum * 1e7) / 1e7) * (text(reference) === negative ? -1 : 1);
}

/** A tag's text without padding. The reader leaves text that is not ASCII as bytes: UTF-8, or else Latin-1. */
function text(value: unknown): string | undefined {
  const string = value instanceof Uint8Array ? decode(value) : value;
  if (typeof string !== 'string') return undefined;
  const end = string.indexOf('\0');
  return (end < 0 ? string : string.slice(0, end)).trim() || undefined;
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return Buffer.from(bytes).toString('latin1');
  }
}

function optional<K extends string, V>(key: K, value: V | undefined): { [k in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [k in K]?: V });
}
