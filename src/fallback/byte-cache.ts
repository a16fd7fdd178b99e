// Byte caches in JavaScript, over lru-cache: the same contract as native/cache, for one thread.
import { LRUCache } from 'lru-cache';
import type { AccountId, ByteTable, CacheKey, CachePlan, CacheStats } from '../contract/index.js';
import { SpillwayError } from '../util/errors.js';
import type { StorageLedger } from './ledger.js';

/** What an entry costs beside its key and value: its places in lru-cache, a Uint8Array, an ArrayBuffer. */
const ENTRY_OVERHEAD = 320;
/** lru-cache lets a value live for its time to live inclusive; here it ends with it. */
const ROUNDING = 1e-6;
const PURGE_EVERY_MS = 250;
const MAX_KEY_BYTES = 65535;

interface Entry {
  bytes: Uint8Array<ArrayBuffer>;
  readonly length: number;
  readonly charge: number;
  pins: number;
  /** False once it has left the cache; pinned bytes stay charged until released. */
  listed: boolean;
}

/** One cache, charged to `account`. */
export class Table implements ByteTable {
  readonly leaseId = new Uint32Array(1);
  readonly #ledger: StorageLedger;
  readonly #account: AccountId;
  readonly #ttlMs: number;
  readonly #now: () => number;
  readonly #entries: LRUCache<string, Entry>;
  readonly #leased = new Map<number, Entry>();
  readonly #counts = { hits: 0, misses: 0, sets: 0, evictions: 0, expirations: 0, refusals: 0 };
  readonly forgotten = new FinalizationRegistry<{ id: number; buffer: ArrayBuffer }>(({ id, buffer }) =>
    this.release(id, buffer),
  );
  #nextLease = 0;
  #maxBytes: number;
  #used = 0;
  #payload = 0;
  #manualNow = 1;
  #purgedAt = 0;

  constructor(plan: CachePlan, ledger: StorageLedger, account: AccountId) {
    this.#ledger = ledger;
    this.#account = account;
    this.#maxBytes = plan.maxBytes;
    this.#ttlMs = plan.ttlMs;
    this.#now = plan.manualClock ? () => this.#manualNow : () => performance.now();
    this.#entries = new LRUCache<string, Entry>({
      // Bounded here instead, because lru-cache cannot change its own bound.
      maxSize: Number.MAX_SAFE_INTEGER,
      sizeCalculation: () => 1,
      ttlResolution: 0,
      perf: { now: this.#now },
      dispose: (entry, _key, reason) => this.#leave(entry, reason),
    });
  }

  set(key: CacheKey, bytes: Uint8Array, ttlMs: number): boolean {
    this.#purge(PURGE_EVERY_MS);
    const id = idOf(key);
    this.#entries.delete(id);
    const charge = bytes.length + id.length + ENTRY_OVERHEAD;
    if (!this.#makeRoom(charge)) {
      this.#counts.refusals++;
      return false;
    }
    const entry = { bytes: new Uint8Array(bytes), length: bytes.length, charge, pins: 0, listed: true };
    const ttl = ttlMs === -1 ? this.#ttlMs : ttlMs;
    this.#entries.set(id, entry, ttl > 0 ? { ttl, start: this.#now() - ROUNDING } : {});
    this.#payload += bytes.length;
    this.#counts.sets++;
    return true;
  }

  read(key: CacheKey, target: Uint8Array, offset: number, use: boolean): number {
    const entry = this.#find(key, use);
    if (!entry) {
      if (use) this.#counts.misses++;
      return -1;
    }
    if (entry.length > target.length - offset) return -2 - entry.length;
    if (use) this.#counts.hits++;
    target.set(entry.bytes, offset);
    return entry.length;
  }

  lease(key: CacheKey): ArrayBuffer | undefined {
    const entry = this.#find(key, true);
    this.#counts[entry ? 'hits' : 'misses']++;
    if (!entry) return undefined;
    const id = this.#nextLease++ % 2 ** 32;
    this.leaseId[0] = id;
    // Ending one lease detaches its buffer: a second one at the same time gets bytes of its own.
    const buffer = entry.pins > 0 ? entry.bytes.slice().buffer : entry.bytes.buffer;
    entry.pins++;
    this.#leased.set(id, entry);
    return buffer;
  }

  release(id: number, buffer: ArrayBuffer): void {
    const taken = structuredClone(buffer, { transfer: [buffer] });
    const entry = this.#leased.get(id);
    if (!entry) return;
    this.#leased.delete(id);
    entry.pins--;
    if (entry.bytes.buffer === buffer) entry.bytes = new Uint8Array(taken);
    if (!entry.listed) this.#credit(entry);
    if (entry.pins === 0) this.#makeRoom(0);
  }

  has(key: CacheKey): boolean {
    return this.#find(key, false) !== undefined;
  }

  delete(key: CacheKey): boolean {
    return this.has(key) && this.#entries.delete(idOf(key));
  }

  clear(): void {
    this.#entries.clear();
  }

  resize(maxBytes: number): void {
    this.#maxBytes = maxBytes;
    this.#makeRoom(0);
  }

  shrink(bytes: number): number {
    const before = this.#used;
    while (before - this.#used < bytes && this.#evict());
    return before - this.#used;
  }

  get usedBytes(): number {
    return this.#used;
  }

  stats(): CacheStats {
    this.#purge(0);
    return {
      maxBytes: this.#maxBytes,
      usedBytes: this.#used,
      payloadBytes: this.#payload,
      entries: this.#entries.size,
      leases: this.#leased.size,
      ...this.#counts,
    };
  }

  keys(): CacheKey[] {
    this.#purge(0);
    return Array.from(this.#entries.keys(), keyOf);
  }

  advanceClock(ms: number): void {
    this.#manualNow += ms;
  }

  #find(key: CacheKey, use: boolean): Entry | undefined {
    const id = idOf(key);
    const entry = use ? this.#entries.get(id) : this.#entries.peek(id);
    // Whoever transferred a lent buffer took the bytes with it.
    if (!entry || entry.bytes.length === entry.length) return entry;
    this.#entries.delete(id);
    return undefined;
  }

  /** Charges `bytes`, evicting until they fit; pinned entries stay. */
  #makeRoom(bytes: number): boolean {
    if (bytes > this.#maxBytes) return false;
    while (this.#used + bytes > this.#maxBytes || !this.#ledger.chargeStorage(this.#account, bytes))
      if (!this.#evict()) return false;
    this.#used += bytes;
    return true;
  }

  #evict(): boolean {
    for (const id of this.#entries.rkeys()) {
      if ((this.#entries.peek(id)?.pins ?? 0) > 0) continue;
      this.#counts.evictions++;
      return this.#entries.delete(id);
    }
    return false;
  }

  /** lru-cache notices an expired entry when it is asked for; this frees the others. */
  #purge(every: number): void {
    const now = this.#now();
    if (now - this.#purgedAt < every) return;
    this.#purgedAt = now;
    this.#entries.purgeStale();
  }

  #leave(entry: Entry, reason: LRUCache.DisposeReason): void {
    if (reason === 'expire') this.#counts.expirations++;
    entry.listed = false;
    this.#payload -= entry.length;
    if (entry.pins === 0) this.#credit(entry);
  }

  #credit(entry: Entry): void {
    if (entry.pins > 0) return;
    this.#used -= entry.charge;
    this.#ledger.credit(this.#account, entry.charge);
  }
}

function idOf(key: CacheKey): string {
  if (typeof key !== 'string') return bytesId(key);
  if (key.length > MAX_KEY_BYTES / 3 && Buffer.byteLength(key) > MAX_KEY_BYTES) throw badKey();
  return `s${key}`;
}

function bytesId(key: unknown): string {
  if (!(key instanceof Uint8Array) || key.length > MAX_KEY_BYTES) throw badKey();
  return `b${Buffer.from(key).toString('latin1')}`;
}

function keyOf(id: string): CacheKey {
  return id.startsWith('s') ? id.slice(1) : new Uint8Array(Buffer.from(id.slice(1), 'latin1'));
}

function badKey(): SpillwayError {
  return new SpillwayError(
    'ERR_INVALID_ARGUMENT',
    'expected a string or a Uint8Array of at most 65535 bytes for the key of a cache',
  );
}
