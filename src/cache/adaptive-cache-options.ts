// Options and figures of an adaptive cache, validated, with their defaults.
import * as v from 'valibot';
import type { PressureLevel } from '../memory/levels.js';
import { type Duration, parseDuration } from '../util/durations.js';
import { invalidArgument } from '../util/errors.js';
import { parseOptions } from '../util/options.js';
import { parseSize, type Size } from '../util/sizes.js';
import { LEAST_BYTES } from './adaptive-size.js';

/** A change of level, as a pressure monitor tells it. */
export interface PressureChange {
  readonly level: PressureLevel;
  readonly previous: PressureLevel;
}

/** Whoever knows how short memory is. */
export interface PressureSource {
  readonly level: PressureLevel;
  on(event: 'level', listener: (change: PressureChange) => void): unknown;
  off?(event: 'level', listener: (change: PressureChange) => void): unknown;
}

export type AdaptiveKey = string | number;

export interface AdaptiveCacheOptions {
  /** Tells when to shrink and when it is calm enough to grow; without one memory always counts as calm. */
  readonly pressure?: PressureSource | undefined;
  /** Never to be exceeded, at least 1 MiB; without one a quarter of the memory that is available, as it changes. */
  readonly maxBytes?: Size | undefined;
  /** How long a value lives unless `put` says otherwise; without one values do not expire. */
  readonly ttl?: Duration | undefined;
}

export interface AdaptivePutOptions {
  readonly ttl?: Duration | undefined;
  /** What the value takes, where the caller knows better than `v8.serialize` (handles, very large objects). */
  readonly bytes?: Size | undefined;
}

/** What a cache holds, how large it may be now, and what it did. */
export interface AdaptiveCacheStats {
  /** The size it has chosen; it moves. */
  readonly limitBytes: number;
  /** Keys, values and what the cache itself takes. */
  readonly usedBytes: number;
  readonly entries: number;
  readonly hits: number;
  readonly misses: number;
  /** Hits ÷ requests; null without requests. */
  readonly hitRate: number | null;
  readonly puts: number;
  readonly evictions: number;
  readonly expirations: number;
  /** Values that were not kept: larger than the cache, or refused by the memory budget with nothing left to evict. */
  readonly refusals: number;
  /** Values whose size nobody knows, counted as 1 kB. */
  readonly unknown: number;
  /** How often the limit was raised, and lowered because memory was short. */
  readonly grows: number;
  readonly shrinks: number;
}

const optionsSchema = v.strictObject({
  pressure: v.optional(v.custom<PressureSource>(isSource, 'an object with level and on')),
  maxBytes: v.optional(v.union([v.number(), v.string()], "a size such as 1048576, '512MB' or '2GiB'")),
  ttl: v.optional(v.union([v.number(), v.string()], 'a duration')),
});

/**
 * Key of an option that only tests give: the clock, in milliseconds.
 * @internal
 */
export const CLOCK = Symbol('clock');

/** @internal */
export interface AdaptivePlan {
  readonly pressure: PressureSource | undefined;
  /** `Infinity`: none but what is available. */
  readonly maxBytes: number;
  /** 0: values do not expire. */
  readonly ttlMs: number;
  /** Milliseconds. */
  readonly now: () => number;
}

/** @internal */
export function adaptivePlan(options: AdaptiveCacheOptions): AdaptivePlan {
  const { pressure, maxBytes, ttl } = parseOptions(optionsSchema, options, 'options');
  const most = maxBytes === undefined ? Number.POSITIVE_INFINITY : parseSize(maxBytes, 'maxBytes');
  if (most < LEAST_BYTES) throw invalidArgument('maxBytes', 'at least 1 MiB', maxBytes);
  return {
    pressure,
    maxBytes: most,
    ttlMs: ttl === undefined ? 0 : lifetime(ttl),
    now: (options as { [CLOCK]?: () => number })[CLOCK] ?? (() => performance.now()),
  };
}

/**
 * Milliseconds of a time to live; they begin and end with whole ones.
 * @internal
 */
export function lifetime(ttl: Duration): number {
  const ms = Math.ceil(parseDuration(ttl, 'ttl'));
  if (ms === 0) throw invalidArgument('ttl', 'a duration above 0', ttl);
  return ms;
}

function isSource(value: unknown): boolean {
  const source = value as Partial<PressureSource> | null;
  return typeof source?.level === 'string' && typeof source.on === 'function';
}
