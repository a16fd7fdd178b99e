import { invalidArgument } from './errors.js';

const UNITS: Record<string, number> = { ms: 1, s: 1e3, m: 60e3, h: 3600e3, d: 86_400e3 };

/** A number of milliseconds, or a string such as `'250ms'`, `'5m'`, `'1h'`. */
export type Duration = number | string;

/** Milliseconds of a duration; `name` is the option's name for the error. Throws `ERR_INVALID_ARGUMENT`. */
export function parseDuration(duration: Duration, name: string): number {
  const ms = typeof duration === 'number' ? duration : durationFromText(duration);
  if (!Number.isFinite(ms) || ms < 0)
    throw invalidArgument(name, "a duration such as 250, '250ms', '30s' or '5m'", duration);
  return ms;
}

/** Seconds for a person: `42s`, `3m 20s`, `2h 05m`. */
export function formatSeconds(seconds: number): string {
  if (!Number.isFinite(seconds)) return '–';
  if (seconds < 60) return `${Math.round(seconds)}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m ${String(Math.round(seconds % 60)).padStart(2, '0')}s`;
  return `${Math.floor(minutes / 60)}h ${String(minutes % 60).padStart(2, '0')}m`;
}

function durationFromText(text: string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\s*$/i.exec(text);
  const unit = match ? UNITS[(match[2] ?? '').toLowerCase()] : undefined;
  return match && unit !== undefined ? Number(match[1]) * unit : Number.NaN;
}
