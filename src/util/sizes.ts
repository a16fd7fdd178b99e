import { invalidArgument } from './errors.js';

const UNITS: Record<string, number> = {
  '': 1,
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
  TIB: 2 ** 40,
};

/** A number of bytes, or a string such as `'512MB'` (10⁶) or `'2GiB'` (2³⁰). */
export type Size = number | string;

/** Bytes of a size; `name` is the option's name for the error. Throws `ERR_INVALID_ARGUMENT`. */
export function parseSize(size: Size, name: string): number {
  const bytes = typeof size === 'number' ? size : sizeFromText(size);
  if (!Number.isFinite(bytes) || bytes < 0)
    throw invalidArgument(name, "a size such as 1048576, '512MB' or '2GiB'", size);
  return Math.round(bytes);
}

/** Bytes of a size that may also be a share of `limit`, such as `'75%'`. */
export function parseSizeOrShare(size: Size, limit: number, name: string): number {
  const share = typeof size === 'string' ? /^\s*(\d+(?:\.\d+)?)\s*%\s*$/.exec(size) : null;
  if (!share) return parseSize(size, name);
  const percent = Number(share[1]);
  if (percent <= 0 || percent > 100) throw invalidArgument(name, 'a share above 0% and up to 100%', size);
  return Math.floor((limit * percent) / 100);
}

/** Whether a size is a share of the limit rather than an absolute number of bytes. */
export function isShare(size: Size): boolean {
  return typeof size === 'string' && size.trim().endsWith('%');
}

/** Bytes for a person: `1.5 MB`, decimal units. */
export function formatSize(bytes: number): string {
  if (Math.abs(bytes) < 1e3) return `${Math.round(bytes)} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = -1;
  while (Math.abs(value) >= 999.5 && unit < units.length - 1) {
    value /= 1e3;
    unit++;
  }
  return `${value.toFixed(Math.abs(value) < 10 ? 1 : 0)} ${units[unit]}`;
}

function sizeFromText(text: string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(text);
  const unit = match ? UNITS[(match[2] ?? '').toUpperCase()] : undefined;
  return match && unit !== undefined ? Number(match[1]) * unit : Number.NaN;
}
