// Options of the model cache: validated, with their defaults.
import * as v from 'valibot';
import { DiskCache } from '../cache/disk-cache.js';
import { MemoryManager } from '../memory/manager.js';
import { native } from '../native/load.js';
import { parseDuration } from '../util/durations.js';
import { invalidArgument } from '../util/errors.js';
import { parseOptions } from '../util/options.js';
import { parseSizeOrShare } from '../util/sizes.js';
import { type LoadOptions, loadOptionEntries, loadSettings } from './load-options.js';

const cacheSchema = v.optional(
  v.strictObject({
    /** Whose budget it is: a share of it may be `maxBytes`, and idle graphs give way when it asks for memory. */
    memory: v.optional(v.instance(MemoryManager)),
    /** For all graphs that are acquired without options of their own. */
    ...loadOptionEntries,
    /** What runs graphs; `'auto'` is the addon, else onnxruntime-node in a child process. */
    engine: v.optional(v.picklist(['auto', 'native', 'stock']), 'auto'),
    /** Domains whose operators graphs may use, beside those that ONNX Runtime implements for inference. */
    operatorDomains: v.optional(v.array(v.string()), []),
    /**
     * Bounds what loaded graphs hold, as measured once they are loaded, runs not counted: bytes, `'512MB'`, or a
     * share of the budget, `'30%'`. Idle graphs are evicted for a load, the least recently used first. Not bounded
     * unless told, but by the budget of the process.
     */
    maxBytes: v.optional(v.union([v.number(), v.string()], "a size such as 1048576, '512MB' or '30%'")),
    /**
     * Where graphs are kept as ONNX Runtime optimised them, for their next loads, also by other processes: by content,
     * engine, its version, device, processor and options. A graph that does not load faster from there is loaded plainly.
     * A graph may take a quarter of the store's limit, 256 MB where it has none; it leaves before other entries, and after
     * 30 days. While one is optimised, once, after its first load, it is in memory a second time, not counted to
     * `maxBytes`, where the budget has room. Graphs that are not trusted, that share weights, or that keep less than 1 MB
     * are left out. The store is the caller's, to close after this cache. None unless given.
     */
    disk: v.optional(v.custom<DiskCache>((value) => value instanceof DiskCache, 'an open DiskCache')),
    /** How long a graph stays loaded after its last use, unless it is pinned: `'5m'`, or milliseconds. */
    ttl: v.optional(v.union([v.number(), v.string()], 'a duration')),
  }),
  {},
);

export type ModelCacheOptions = v.InferInput<typeof cacheSchema>;

export type ModelCachePlan = Omit<v.InferOutput<typeof cacheSchema>, 'maxBytes' | 'ttl'> & {
  /** `Infinity`: not bounded. */
  readonly maxBytes: number;
  readonly ttlMs: number | undefined;
};

const pinSchema = v.optional(v.boolean(), false);

export type AcquireOptions = LoadOptions & {
  /** Keeps the graph loaded after its last hold, beyond time to live and pressure, until `clear`. */
  readonly pin?: boolean;
};

const preloadSchema = v.array(
  v.strictObject({
    path: v.pipe(v.string(), v.nonEmpty()),
    role: v.picklist(['primary', 'secondary'], "'primary' or 'secondary'"),
  }),
  'a list of { path, role }',
);

export type PreloadRequest = v.InferInput<typeof preloadSchema>[number];

const preloadOptionsSchema = v.optional(
  v.strictObject({
    /** Leaves the secondary models for when they are acquired. */
    skipSecondary: v.optional(v.boolean(), false),
  }),
  {},
);

export type PreloadOptions = v.InferInput<typeof preloadOptionsSchema>;

/** Throws `ERR_INVALID_ARGUMENT`, as do the two below. */
export function modelCachePlan(options: ModelCacheOptions | undefined): ModelCachePlan {
  const { maxBytes, ttl, ...rest } = parseOptions(cacheSchema, options, 'ModelCache');
  const bytes =
    maxBytes === undefined
      ? Number.POSITIVE_INFINITY
      : parseSizeOrShare(maxBytes, rest.memory?.budget ?? rootBudget(), 'ModelCache.maxBytes');
  const ttlMs = ttl === undefined ? undefined : Math.ceil(parseDuration(ttl, 'ModelCache.ttl'));
  if (bytes < 1) throw invalidArgument('ModelCache.maxBytes', 'a size above 0', maxBytes);
  if (ttlMs === 0) throw invalidArgument('ModelCache.ttl', 'a duration above 0', ttl);
  return { ...rest, maxBytes: bytes, ttlMs };
}

export function acquireOptions(plan: ModelCachePlan, { pin, ...options }: AcquireOptions) {
  return { pin: parseOptions(pinSchema, pin, 'acquire.pin'), settings: loadSettings(plan, options) };
}

export function preloadOptions(models: readonly PreloadRequest[], options: PreloadOptions | undefined) {
  return {
    models: parseOptions(preloadSchema, models, 'models'),
    ...parseOptions(preloadOptionsSchema, options, 'preload'),
  };
}

/** What a share is taken of where no manager is given: the budget of the process, else the limit that binds. */
function rootBudget(): number {
  const { ledger, governor } = native();
  const root = ledger.limit(0);
  return Number.isFinite(root) ? root : governor.measure().limitBytes;
}
