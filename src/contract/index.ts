import type { ByteTable, CachePlan } from './cache.js';
import type { Governor } from './governor.js';
import type { Gpu } from './gpu.js';
import type { Inference } from './infer.js';
import type { Ledger } from './ledger.js';
import type { ChunkPlan, ChunkReader, GroupPlan, GroupReader } from './read.js';
import type { Scanner, ScanPlan } from './scan.js';

export * from './cache.js';
export * from './governor.js';
export * from './gpu.js';
export * from './infer.js';
export * from './ledger.js';
export * from './read.js';
export * from './scan.js';

/**
 * What only the addon can do. An implementation lists what it offers; asking for the rest throws
 * `ERR_NATIVE_UNAVAILABLE`.
 */
export type Capability = 'raw-names' | 'infer' | 'gpu' | 'trim' | 'shared-cache' | 'governor';

/** The native side of spillway: fulfilled by the addon, and by `src/fallback` as far as JavaScript can. */
export interface NativeSide {
  readonly capabilities: readonly Capability[];
  readonly ledger: Ledger;
  readonly governor: Governor;
  readonly infer?: Inference;
  readonly gpu?: Gpu;
  /** Cores this process may really use: the lesser of its affinity and its CPU quota, at least 1. */
  cores(): number;
  openScanner(plan: ScanPlan): Scanner;
  openChunkReader(plan: ChunkPlan): ChunkReader;
  openGroupReader(plan: GroupPlan): GroupReader;
  /** SHA-256 on this thread; `portable` leaves the processor's own instructions aside. */
  sha256(bytes: Uint8Array, portable: boolean): Uint8Array;
  /** Throws `ERR_INVALID_ARGUMENT` where the name exists with another plan. */
  openCache(plan: CachePlan): ByteTable;
  /** Gives free pages of the C heap back to the system, off this thread. Present where `trim` is a capability. */
  trim?(): Promise<void>;
  /**
   * Bounds how many arenas the C heap keeps free pages in, and has blocks of 4 MiB and more mapped by themselves: what is
   * not touched of them is not resident, and freeing them gives them back. Present where `trim` is a capability.
   */
  limitArenas?(): void;
  /**
   * Gives back the resident code and constants of the libraries whose file name starts with `prefix`; what is used of
   * them is read again from the page cache. Present where `trim` is a capability.
   */
  dropLibraryPages?(prefix: string): void;
  /**
   * Runs another program in place of this process, as `execv` does; returns only by throwing the system's error. Part
   * of the addon.
   */
  replaceProcess?(file: string, args: readonly string[]): never;
  /** Ends all work in flight of this environment and waits for it; called before the process exits. */
  stop(): void;
}
