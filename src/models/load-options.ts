// How a graph is to be loaded: what a cache says for all of its graphs, and an acquisition for one.
import path from 'node:path';
import * as v from 'valibot';
import type { OperatorLibrary } from '../contract/index.js';
import { native } from '../native/load.js';
import { parseDuration } from '../util/durations.js';
import { parseOptions } from '../util/options.js';
import { parseSize } from '../util/sizes.js';
import type { DeviceChoice } from './detect.js';
import type { ChildLimits } from './engine/child-limits.js';

const count = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(Number.MAX_SAFE_INTEGER));

const sizeOrDuration = v.union([v.number(), v.string()]);

const operatorLibrary = v.strictObject({
  path: v.pipe(v.string(), v.check(path.isAbsolute, 'an absolute path')),
  sha256: v.pipe(
    v.string(),
    v.check((text) => /^[\da-f]{64}$/i.test(text), '64 hexadecimal digits'),
    v.toLowerCase(),
  ),
});

/** Options that make another session of the same graph. */
export const loadOptionEntries = {
  /** Where the graph runs; `'auto'`, the default, tries cuda, webgpu and cpu, in this order. */
  device: v.optional(v.picklist(['auto', 'cuda', 'webgpu', 'cpu'])),
  /**
   * Threads of the session, the caller's included; the cores this process may use unless told. On the CPU a run waits
   * until so many cores are free of runs, of any model of the process; the stock engine has a process of its own.
   */
  threads: v.optional(count),
  /**
   * Runs at a time; further ones wait their turn, by priority and age. As many as keep the cores busy unless told, and
   * at least two on a device other than the processor. The stock engine has one at a time.
   */
  concurrency: v.optional(count),
  /**
   * Sizes for free dimensions by their names, so that ONNX Runtime may plan for them; each must occur in the graph.
   * Native engine only.
   */
  freeDimensions: v.optional(v.record(v.string(), count)),
  /**
   * Sessions of the same graph in this process share their large weights of layers and tables, and what kernels pack of
   * them, whichever cache or worker thread loaded them: those that say so too. Costs one more copy of these weights, so
   * that it pays from the third session on. On the processor; native engine only.
   */
  shareWeights: v.optional(v.boolean()),
  /** A folder: a profile of all runs is written there, until `Model.endProfile` or the release of the graph. */
  profileFolder: v.optional(v.pipe(v.string(), v.nonEmpty())),
  /**
   * Libraries of custom operators that the graph may call: the absolute path of each, and the SHA-256 of its bytes, which
   * are checked and loaded from memory, for as long as the process lives. Their code can do whatever this process can;
   * what they link against is found by the system's loader and not checked. The domains of their operators must stand in
   * `operatorDomains` of the cache. Native engine only.
   */
  operatorLibraries: v.optional(v.array(operatorLibrary)),
  /**
   * `'untrusted'`: whatever engine was chosen, the graph runs in a child process of its own, without this process's
   * environment variables and within the limits below (Linux). `'trusted'` unless told.
   */
  trust: v.optional(v.picklist(['trusted', 'untrusted'])),
  /** Memory such a child may write to, its own 110 MB included; `'2GB'` unless told. */
  untrustedMemory: v.optional(sizeOrDuration),
  /** Processor time such a child may take for its load, and for each run, before it is ended; `'1m'` unless told. */
  untrustedCpuTime: v.optional(sizeOrDuration),
};

const loadSchema = v.optional(v.strictObject(loadOptionEntries), {});

export type LoadOptions = v.InferInput<typeof loadSchema>;
type ParsedOptions = NonNullable<v.InferOutput<typeof loadSchema>>;

/** How a graph is loaded, all defaults filled in. */
export interface LoadSettings {
  readonly device: DeviceChoice;
  readonly threads: number;
  /** Undefined for as many as the device and the threads suggest. */
  readonly concurrency: number | undefined;
  readonly freeDimensions: readonly { readonly name: string; readonly size: number }[];
  readonly shareWeights: boolean;
  readonly profileFolder: string | undefined;
  readonly operatorLibraries: readonly OperatorLibrary[];
  /** Those of a process of its own, for a graph that is not trusted. */
  readonly limits: ChildLimits | undefined;
  /** Names the session among those of the same graph. */
  readonly variant: string;
}

/** The settings of one acquisition: `options` over `defaults`. Throws `ERR_INVALID_ARGUMENT`. */
export function loadSettings(defaults: ParsedOptions, options: LoadOptions): LoadSettings {
  const given = parseOptions(loadSchema, options, 'acquire');
  const device = given.device ?? defaults.device ?? 'auto';
  const threads = given.threads ?? defaults.threads ?? native().cores();
  const concurrency = given.concurrency ?? defaults.concurrency;
  const freeDimensions = Object.entries(given.freeDimensions ?? defaults.freeDimensions ?? {})
    .map(([name, size]) => ({ name, size }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const shareWeights = given.shareWeights ?? defaults.shareWeights ?? false;
  const profileFolder = given.profileFolder ?? defaults.profileFolder;
  const operatorLibraries = given.operatorLibraries ?? defaults.operatorLibraries ?? [];
  const limits = limitsOf({ ...defaults, ...given });
  const digests = operatorLibraries.map(({ sha256 }) => sha256);
  const own = [device, threads, concurrency, freeDimensions, profileFolder, digests, limits, shareWeights];
  const variant = JSON.stringify(own);
  return {
    device,
    threads,
    concurrency,
    freeDimensions,
    shareWeights,
    profileFolder,
    operatorLibraries,
    limits,
    variant,
  };
}

/** Names a session: by the content of its graph, and by how it was loaded. */
export function keyOf(content: string, { variant }: LoadSettings): string {
  return `${content} ${variant}`;
}

function limitsOf({ trust, untrustedMemory, untrustedCpuTime }: ParsedOptions): ChildLimits | undefined {
  const memoryBytes = parseSize(untrustedMemory ?? '2GB', 'untrustedMemory');
  const cpuMs = parseDuration(untrustedCpuTime ?? '1m', 'untrustedCpuTime');
  return trust === 'untrusted' ? { memoryBytes, cpuMs } : undefined;
}
