// The graphs of one cache: those in use, and idle ones in the order of their last use.
//
// The order and the time to live are lru-cache's. With the addon the governor has a table of its own, of all graphs of the
// process, and evicts from it while JavaScript is blocked: what it took is noticed here at the next look.
import { LRUCache } from 'lru-cache';
import type { EvictedBytes } from '../contract/index.js';
import type { LoadedModel } from './model.js';
import type { ModelBytes } from './model-source.js';

/** A graph that is loading or loaded. */
export class ModelEntry {
  readonly key: string;
  /** What it is loaded from, until it is. */
  source: ModelBytes | undefined;
  /** Settles once it is loaded. */
  readonly loading: Promise<LoadedModel>;
  loaded: LoadedModel | undefined;
  /** Bytes it is expected to take. */
  readonly expected: number;
  /** Bytes it is counted with: what is expected while its load has its turn, what it has for itself from then on. */
  bytes = 0;
  /** Bytes it took at the last attempt that came so far. */
  measured: number | undefined;
  references = 0;
  pinned = false;

  constructor(
    { key, source, expected }: { key: string; source: ModelBytes; expected: number },
    load: (entry: ModelEntry) => Promise<LoadedModel>,
  ) {
    this.key = key;
    this.source = source;
    this.expected = expected;
    this.loading = load(this);
  }
}

/** lru-cache wants a bound; the real one counts graphs in use as well. */
const UNBOUNDED = Number.MAX_SAFE_INTEGER;

export class ModelTable {
  readonly #entries = new Map<string, ModelEntry>();
  readonly #idle: LRUCache<string, ModelEntry>;
  readonly #evictions = { room: 0, expired: 0, pressure: 0 };
  #drained = false;
  #evictedBytes = 0;
  #evictedResidentBytes = 0;

  constructor(ttlMs: number | undefined) {
    this.#idle = new LRUCache<string, ModelEntry>({
      maxSize: UNBOUNDED,
      sizeCalculation: ({ bytes }) => Math.max(1, bytes),
      ...(ttlMs !== undefined && { ttl: ttlMs, ttlAutopurge: true }),
      allowStale: true, // one whose time is over stays until its timer has run, and can be had
      disposeAfter: (entry, _key, reason) => {
        if (reason === 'expire') void this.#evict(entry, 'expired');
      },
    });
  }

  /** What loaded graphs hold, and what those on their way are expected to. */
  get bytes(): number {
    this.#noticeLost();
    let sum = 0;
    for (const { bytes, loaded } of this.#entries.values())
      sum += loaded?.session.lost ? 0 : bytes + (loaded?.session.sharedBytes() ?? 0);
    return sum;
  }

  get evicted() {
    this.#noticeLost();
    return {
      evictions: { ...this.#evictions },
      evictedBytes: this.#evictedBytes,
      evictedResidentBytes: this.#evictedResidentBytes,
    };
  }

  /** The entry of a graph that is loading or loaded, and not lost. */
  get(key: string): ModelEntry | undefined {
    const entry = this.#entries.get(key);
    if (!entry?.loaded?.session.lost) return entry;
    this.#forgetLost(entry);
    return undefined;
  }

  add(entry: ModelEntry): void {
    this.#entries.set(entry.key, entry);
  }

  /** One reference more; false where the graph was evicted at this moment. */
  take(entry: ModelEntry): boolean {
    if (this.#idle.delete(entry.key) && !entry.loaded?.session.hold()) {
      this.#forgetLost(entry);
      return false;
    }
    entry.references++;
    return true;
  }

  /** One reference less: after the last the graph is idle, unless it is pinned. */
  giveBack(entry: ModelEntry): void {
    entry.references--;
    if (entry.references > 0 || entry.pinned || !entry.loaded || this.#entries.get(entry.key) !== entry)
      return;
    entry.loaded.session.letGo();
    this.#idle.set(entry.key, entry);
  }

  remove(entry: ModelEntry): void {
    if (this.#entries.get(entry.key) !== entry) return;
    this.#entries.delete(entry.key);
    this.#idle.delete(entry.key);
  }

  /**
   * Evicts the idle graph that was used longest ago and resolves once its memory is back; false where none is idle.
   * One that a run is still using is passed over.
   */
  async evictOldest(): Promise<boolean> {
    this.#noticeLost();
    for (const key of [...this.#idle.rkeys()]) {
      const entry = this.#idle.peek(key);
      if (entry && (await this.#evict(entry, 'room'))) return true;
    }
    return false;
  }

  /** Evicts idle graphs until they gave `bytes` back, or none is left; resolves with what they gave. */
  async evict(bytes: number): Promise<number> {
    const before = this.#evictedBytes;
    while (this.#evictedBytes < before + bytes && (await this.evictOldest()));
    return this.#evictedBytes - before;
  }

  /** Releases every graph without references; those with references are no longer pinned. */
  clear(): void {
    for (const entry of [...this.#entries.values()]) {
      entry.pinned = false;
      if (entry.references > 0 || !entry.loaded) continue;
      this.remove(entry);
      entry.loaded.session.release();
    }
  }

  /** Every entry, none of which is here any more; for good. */
  drain(): ModelEntry[] {
    const entries = [...this.#entries.values()];
    this.#drained = true;
    this.#entries.clear();
    this.#idle.clear();
    return entries;
  }

  rows() {
    this.#noticeLost();
    return [...this.#entries.values()].flatMap(({ loaded, references, pinned }) =>
      loaded
        ? [
            {
              sha256: loaded.sha256,
              device: loaded.device,
              bytes: loaded.session.bytes(),
              references,
              pinned,
            },
          ]
        : [],
    );
  }

  /** False where a run is using it: it is idle again, as of now. */
  async #evict(entry: ModelEntry, cause: 'room' | 'expired'): Promise<boolean> {
    this.remove(entry); // nobody is to be given it from here on
    const session = entry.loaded?.session;
    const freed = await session?.evict();
    if (freed) this.#count(cause, freed);
    else if (session?.evicted)
      this.#count('pressure', session.evicted); // the governor was first
    else if (this.#drained || session?.lost || this.#entries.has(entry.key)) session?.release();
    else {
      this.#entries.set(entry.key, entry);
      this.#idle.set(entry.key, entry);
      return false;
    }
    return true;
  }

  #noticeLost(): void {
    for (const entry of [...this.#entries.values()]) if (entry.loaded?.session.lost) this.#forgetLost(entry);
  }

  #forgetLost(entry: ModelEntry): void {
    this.remove(entry);
    const evicted = entry.loaded?.session.evicted;
    if (evicted) this.#count('pressure', evicted);
  }

  #count(cause: 'room' | 'expired' | 'pressure', { bytes, residentBytes }: EvictedBytes): void {
    this.#evictions[cause]++;
    this.#evictedBytes += bytes;
    this.#evictedResidentBytes += residentBytes;
  }
}
