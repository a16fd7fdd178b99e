// Options of a byte cache: validated, with their defaults, as the native side takes them.
import * as v from 'valibot';
import type { CachePlan } from '../contract/index.js';
import { type Duration, parseDuration } from '../util/durations.js';
import { invalidArgument } from '../util/errors.js';
import { parseOptions } from '../util/options.js';
import { parseSize, type Size } from '../util/sizes.js';

/** How a cache chooses what it evicts. `'lru'`: what was used longest ago. */
export type CachePolicy = 'lru';

export interface ByteCacheOptions {
  /** Caches of one name are one cache in every thread of the process. Without one it is private. */
  readonly name?: string;
  /** Bounds values, keys and metadata together. */
  readonly maxBytes: Size;
  /** How long a value lives unless `set` says otherwise; without one values do not expire. */
  readonly ttl?: Duration;
  /** Default `'lru'`. */
  readonly policy?: CachePolicy;
}

export interface CacheSetOptions {
  /** How long this value lives; without one, as the cache says. */
  readonly ttl?: Duration;
  /** What it costs to make this value anew, in any unit. For policies that weigh it: `'lru'` does not. */
  readonly cost?: number;
}

/**
 * Key of an option that only tests give: time stands still until they move it.
 * @internal
 */
export const MANUAL_CLOCK = Symbol('manual clock');

const duration = v.union([v.number(), v.string()], 'a duration');
const cacheSchema = v.strictObject({
  name: v.optional(v.pipe(v.string(), v.nonEmpty('a name that is not empty'))),
  maxBytes: v.union([v.number(), v.string()], "a size such as 1048576, '512MB' or '2GiB'"),
  ttl: v.optional(duration),
  policy: v.optional(v.picklist(['lru'], "'lru'")),
});

/** @internal */
export function cachePlan(options: ByteCacheOptions): CachePlan {
  const { name = '', maxBytes, ttl } = parseOptions(cacheSchema, options, 'options');
  const bytes = parseSize(maxBytes, 'maxBytes');
  if (bytes < 1) throw invalidArgument('maxBytes', 'a size above 0', maxBytes);
  const manualClock = (options as { [MANUAL_CLOCK]?: boolean })[MANUAL_CLOCK] === true;
  return { name, maxBytes: bytes, ttlMs: ttl === undefined ? 0 : lifetime(ttl), manualClock };
}

/**
 * Milliseconds a value set with these options lives, -1 where the cache decides.
 * @internal
 */
export function lifetimeOf(options: CacheSetOptions | undefined): number {
  if (options === undefined) return -1;
  const { ttl, cost } = options;
  if (cost !== undefined && !(cost >= 0)) throw invalidArgument('cost', 'a number of at least 0', cost);
  return ttl === undefined ? -1 : lifetime(ttl);
}

function lifetime(ttl: Duration): number {
  const ms = parseDuration(ttl, 'ttl');
  if (ms === 0) throw invalidArgument('ttl', 'a duration above 0', ttl);
  return Math.ceil(ms);
}
