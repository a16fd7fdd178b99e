// What a model cache tells about itself.
import type { Device } from '../contract/index.js';

export interface ModelCacheStats {
  /** Graphs loaded so far; acquisitions that found theirs loaded or on its way; loads of what had been loaded before. */
  readonly loads: number;
  readonly hits: number;
  readonly reloads: number;
  /** Graphs that were given up while nobody held them, by cause. Those that `clear` released are not among them. */
  readonly evictions: EvictionCounts;
  /** What evictions gave back, as measured when each had ended. */
  readonly evictedBytes: number;
  /** By how much less was resident right after them; blocks below 4 MiB follow with the next trim of the heap. */
  readonly evictedResidentBytes: number;
  /** Bytes of all loaded graphs. */
  readonly bytes: number;
  /** What they may hold; `Infinity` where not bounded. */
  readonly maxBytes: number;
  readonly models: readonly {
    readonly sha256: string;
    readonly device: Device;
    /** Now, runs in flight included. */
    readonly bytes: number;
    /** Holds not yet disposed of. */
    readonly references: number;
    readonly pinned: boolean;
  }[];
  readonly engine: { readonly name: string; readonly version: string; readonly reason: string } | undefined;
  /** Undefined without a disk tier. */
  readonly disk: DiskTierStats | undefined;
  readonly childRssBytes: number;
  readonly peakChildRssBytes: number;
}

/** Loads are counted since the cache was made; those of graphs that are left out are not among them. */
export interface DiskTierStats {
  /** Loads of an optimised graph from the disk. */
  readonly hits: number;
  /** Plain loads of graphs whose optimised form was not there. */
  readonly misses: number;
  /** Plain loads although it was there, to compare, and of graphs that have proved no faster from the disk, or unfit. */
  readonly plain: number;
  /** Optimised graphs put there. */
  readonly stored: number;
  /** Optimised graphs that were not whole, or could not be loaded: they were removed. */
  readonly rejected: number;
  /** Optimised graphs that were not put there: no room for it in memory, too large, not to be written. */
  readonly unkept: number;
  /** What went wrong last, for a person. */
  readonly problem: string | undefined;
}

export interface EvictionCounts {
  /** For a load that did not fit beside them, or for memory that the budget asked back. */
  readonly room: number;
  /** Their time to live was over. */
  readonly expired: number;
  /** By the governor, under memory pressure. */
  readonly pressure: number;
}

export type Preloaded = {
  readonly path: string;
  readonly role: 'primary' | 'secondary';
  /** Reading and vetting included. */
  readonly ms: number;
} & (
  | {
      /** `shared`: it was there already. */
      readonly outcome: 'loaded' | 'shared';
      readonly sha256: string;
      readonly device: Device;
      readonly bytes: number;
    }
  /** A secondary model that was not asked for or could not be had, and why. */
  | { readonly outcome: 'skipped'; readonly code: string | undefined; readonly reason: string }
);
