// A cache on disk that several processes may share: SQLite for the index and small values, files for large ones.
import * as v from 'valibot';
import type { CacheKey } from '../contract/index.js';
import { native } from '../native/load.js';
import { type Duration, parseDuration } from '../util/durations.js';
import { invalidArgument, SpillwayError } from '../util/errors.js';
import { parseOptions, signalSchema } from '../util/options.js';
import { parseSize, type Size } from '../util/sizes.js';
import type { Found } from './disk-calls.js';
import { type CacheFolder, openCacheFolder } from './disk-folder.js';
import { WriteQueue } from './disk-queue.js';
import type { SqliteDriver } from './disk-sqlite.js';
import { DiskThread } from './disk-thread.js';
import { type Lookup, packChanges, packKeys, unpackFound } from './disk-wire.js';

export interface DiskCacheOptions {
  /**
   * What the folder may take on the disk: the database with its log, and large values in whole blocks of 4 KiB.
   * At least 4 MB; no limit unless told.
   */
  readonly maxBytes?: Size;
  /** How long entries live that do not say so themselves; for ever unless told. */
  readonly ttl?: Duration;
  /** Bytes queued and not yet committed before `ready` makes callers wait. Default `'2MB'`. */
  readonly queueBytes?: Size;
  /**
   * How long a change may wait for others to share its commit. 0, the default: it waits for the commit under way
   * only, which suits callers that await each `set`; streams of changes cost less with 100.
   */
  readonly maxDelay?: Duration;
  /** Whether a missing cache is made; true unless told. Without, a folder that is no cache is refused. */
  readonly create?: boolean;
}

export interface DiskSetOptions {
  readonly ttl?: Duration;
  /** Entries of lower priority leave first, among equals the one unused for longest. An integer; 0 unless told. */
  readonly priority?: number;
}

export interface DiskCacheStats {
  readonly driver: SqliteDriver;
  readonly entries: number;
  /** What the folder takes on the disk now. */
  readonly bytes: number;
  readonly maxBytes: number | undefined;
  /** Counted since this cache was opened, as are all that follow. */
  readonly hits: number;
  /** Keys without an entry, or with one that has expired or was damaged. */
  readonly misses: number;
  /** Entries that failed their checksum; each counts as a miss and is overwritten by the next `set`. */
  readonly corrupt: number;
  /** Entries removed to keep within `maxBytes`. */
  readonly evictions: number;
  /** Changes committed. */
  readonly committed: number;
  readonly queuedBytes: number;
}

const sizeSchema = v.union([v.number(), v.string()]);
const optionsSchema = v.strictObject({
  maxBytes: v.optional(sizeSchema),
  ttl: v.optional(sizeSchema),
  queueBytes: v.optional(sizeSchema, '2MB'),
  maxDelay: v.optional(sizeSchema, 0),
  create: v.optional(v.boolean(), true),
});
const setSchema = v.strictObject({
  ttl: v.optional(sizeSchema),
  priority: v.optional(v.pipe(v.number(), v.safeInteger()), 0),
});
const verifySchema = v.strictObject({ signal: signalSchema, onProgress: v.optional(v.function()) });
const pruneSchema = v.strictObject({ signal: signalSchema, maxBytes: v.optional(sizeSchema) });

/** Keys in one message to the worker: enough that the crossing costs little, few enough to answer in 2 ms. */
const KEYS_PER_CALL = 256;
const MAX_KEY_BYTES = 4096;
const MIN_MAX_BYTES = 4_000_000;
const OBJECT_FOLDERS = 256;

/**
 * An open disk cache. Keys have 1 to 4096 bytes; a string stands for its UTF-8. One worker thread does all of SQLite and of the files, in batches, for any number of
 * callers; several caches, in one process or many, may share a folder. A `set` that resolved survives the death
 * of the process; after power loss the last ones may be gone, never wrong: every value is verified when it is
 * read. An open cache keeps no process alive; work under way does. After `close` every method rejects with
 * `ERR_CLOSED`.
 */
export class DiskCache implements AsyncDisposable {
  /** The cache folder, with device and inode. */
  readonly folder: CacheFolder;
  readonly driver: SqliteDriver;
  readonly #thread: DiskThread;
  readonly #queue: WriteQueue;
  readonly #maxBytes: number | undefined;
  readonly #ttl: number | undefined;
  readonly #counts = { hits: 0, misses: 0, corrupt: 0, committed: 0 };
  #closing: Promise<void> | undefined;

  private constructor(
    folder: CacheFolder,
    thread: DiskThread,
    driver: SqliteDriver,
    options: { maxBytes: number | undefined; ttl: number | undefined; queueBytes: number; maxDelay: number },
  ) {
    this.folder = folder;
    this.driver = driver;
    this.#thread = thread;
    this.#maxBytes = options.maxBytes;
    this.#ttl = options.ttl;
    this.#queue = new WriteQueue(
      async (batch) => {
        const count = batch.length;
        const changes = packChanges(batch);
        await thread.call('write', { changes, now: Date.now() }, [changes]);
        this.#counts.committed += count;
      },
      options.queueBytes,
      options.maxDelay,
    );
  }

  /**
   * Opens the cache in a folder of its own and starts its thread. Rejects with `ERR_CACHE_UNSAFE` for a folder
   * that others could have written, `ERR_CACHE_CORRUPT`, `ERR_CACHE_VERSION` for one of another spillway,
   * `ERR_MISSING_DEPENDENCY` without an SQLite driver, or `ERR_CACHE_FAILED`.
   */
  static async open(dir: string, options: DiskCacheOptions = {}): Promise<DiskCache> {
    const parsed = parseOptions(optionsSchema, options, 'options');
    const maxBytes =
      parsed.maxBytes === undefined ? undefined : parseSize(parsed.maxBytes, 'options.maxBytes');
    if (maxBytes !== undefined && maxBytes < MIN_MAX_BYTES)
      throw invalidArgument('options.maxBytes', 'at least 4 MB', parsed.maxBytes);
    const ttl = parsed.ttl === undefined ? undefined : parseDuration(parsed.ttl, 'options.ttl');
    const queueBytes = parseSize(parsed.queueBytes, 'options.queueBytes');
    const maxDelay = parseDuration(parsed.maxDelay, 'options.maxDelay');
    const folder = await openCacheFolder(dir, parsed.create);
    const thread = new DiskThread();
    try {
      const { databaseFile } = folder;
      const driver = await thread.call('open', { databaseFile, maxBytes: maxBytes ?? null });
      native().dropLibraryPages?.('better_sqlite3');
      return new DiskCache(folder, thread, driver, { maxBytes, ttl, queueBytes, maxDelay });
    } catch (error) {
      await thread.terminate();
      throw error;
    }
  }

  /** A key's value, in memory of its own; undefined where there is none. */
  async get(key: CacheKey): Promise<Uint8Array | undefined> {
    return (await this.getMany([key]))[0];
  }

  /**
   * The values of many keys, in their order; best called with 256 at a time. Sees every `set` made before it.
   * Small values of one call share memory: keep a `slice()` where only few of them are kept.
   */
  async getMany(keys: readonly CacheKey[]): Promise<(Uint8Array | undefined)[]> {
    const values: (Uint8Array | undefined)[] = [];
    for (const lookup of await this.#find(keys.map(keyBytes))) {
      const found = typeof lookup === 'string' ? undefined : lookup;
      values.push(found);
      this.#counts[found ? 'hits' : 'misses']++;
      if (lookup === 'corrupt') this.#counts.corrupt++;
    }
    return values;
  }

  /**
   * Keeps a value; resolves once it is committed. `bytes` must not change before. At most 256 changes share a
   * commit. Await {@link DiskCache.ready} before, so that a slow disk does not grow memory.
   * Rejects with `ERR_TOO_LARGE` for a value above half of `maxBytes`, `ERR_CACHE_FAILED` on a full disk.
   */
  async set(key: CacheKey, bytes: Uint8Array, options: DiskSetOptions = {}): Promise<void> {
    this.#checkOpen();
    const { ttl, priority } = parseOptions(setSchema, options, 'options');
    if (!(bytes instanceof Uint8Array)) throw invalidArgument('bytes', 'a Uint8Array', bytes);
    if (bytes.length > (this.#maxBytes ?? Number.POSITIVE_INFINITY) / 2)
      throw new SpillwayError(
        'ERR_TOO_LARGE',
        `expected a value of at most half the limit of ${this.#maxBytes} bytes but it has ${bytes.length}`,
      );
    const lifeMs = ttl === undefined ? this.#ttl : parseDuration(ttl, 'options.ttl');
    const expires = lifeMs === undefined ? undefined : Date.now() + lifeMs;
    return this.#queue.add({ key: keyBytes(key), priority, expires, value: bytes });
  }

  /** {@link DiskCache.set} for many; resolves once all are committed, waits for room on the way. */
  async setMany(
    entries: Iterable<readonly [key: CacheKey, bytes: Uint8Array, options?: DiskSetOptions]>,
  ): Promise<void> {
    const sets: Promise<void>[] = [];
    for (const [key, bytes, options] of entries) {
      const set = this.set(key, bytes, options);
      set.catch(() => undefined); // Reported below, once all have ended.
      sets.push(set);
      if (this.#queue.isFull) await Promise.allSettled([this.#queue.ready()]);
    }
    await Promise.all(sets);
  }

  /** Removes an entry; resolves once that is committed. */
  async delete(key: CacheKey): Promise<void> {
    this.#checkOpen();
    return this.#queue.add({ key: keyBytes(key), priority: 0, expires: undefined, value: undefined });
  }

  /** Whether there is an entry that has not expired; its value is not read. */
  async has(key: CacheKey): Promise<boolean> {
    this.#checkOpen();
    const bytes = keyBytes(key);
    this.#queue.sendIfAbout([bytes]);
    const keys = packKeys([bytes]);
    return (await this.#thread.call('has', { keys, now: Date.now() }, [keys]))[0] === 1;
  }

  /** Removes every entry, and gives the space back. */
  async clear(): Promise<void> {
    this.#checkOpen();
    this.#queue.send();
    await this.#thread.call('clear', null);
  }

  /**
   * Reads everything: how many entries there are, how many of them are damaged (misses, until they are set
   * again), and how many files belong to none. Changes nothing.
   */
  async verify(
    options: { signal?: AbortSignal; onProgress?: (checked: number) => void } = {},
  ): Promise<{ checked: number; corrupt: number; orphans: number }> {
    const { signal } = parseOptions(verifySchema, options, 'options');
    const sum = { checked: 0, corrupt: 0, orphans: 0 };
    for (let after: number | null = 0; after !== null; ) {
      this.#checkOpen(signal);
      const step: { next: number | null; checked: number; corrupt: number } = await this.#thread.call(
        'verify',
        { after },
      );
      sum.checked += step.checked;
      sum.corrupt += step.corrupt;
      after = step.next;
      options.onProgress?.(sum.checked);
    }
    sum.orphans = await this.#orphans(false, signal);
    return sum;
  }

  /**
   * Removes what has expired, files that belong to no entry, and entries until the cache is within its limit (and
   * within `maxBytes`, where given); then gives free space back to the file system.
   */
  async prune(
    options: { signal?: AbortSignal; maxBytes?: Size } = {},
  ): Promise<{ expired: number; evicted: number; orphans: number; bytes: number }> {
    const { signal, maxBytes: size } = parseOptions(pruneSchema, options, 'options');
    const maxBytes = size === undefined ? null : parseSize(size, 'options.maxBytes');
    const sum = { expired: 0, evicted: 0 };
    for (;;) {
      this.#checkOpen(signal);
      const step = await this.#thread.call('prune', { now: Date.now(), maxBytes });
      if (!step) break;
      sum.expired += step.expired;
      sum.evicted += step.evicted;
    }
    const orphans = await this.#orphans(true, signal);
    await this.#thread.call('compact', null);
    return { ...sum, orphans, bytes: (await this.#thread.call('stats', null)).bytes };
  }

  async stats(): Promise<DiskCacheStats> {
    this.#checkOpen();
    const figures = await this.#thread.call('stats', null);
    return {
      driver: this.driver,
      ...figures,
      maxBytes: this.#maxBytes,
      ...this.#counts,
      queuedBytes: this.#queue.bytes,
    };
  }

  /** Figures that need no look at the disk; see {@link DiskCacheStats}. */
  counts(): Pick<DiskCacheStats, 'hits' | 'misses' | 'corrupt' | 'committed' | 'queuedBytes'> {
    return { ...this.#counts, queuedBytes: this.#queue.bytes };
  }

  /** Resolves once the write queue has room; await it before `set`. */
  async ready(): Promise<void> {
    this.#checkOpen();
    return this.#queue.ready();
  }

  /** Resolves once everything set before is committed; rejects with the first failure of what was on its way. */
  async flush(): Promise<void> {
    this.#checkOpen();
    return this.#queue.flush();
  }

  /**
   * Commits what is queued (each `set` tells how that went), closes the database and waits until the thread is
   * gone. Harmless when repeated.
   */
  close(): Promise<void> {
    this.#closing ??= this.#queue.drain().then(() => this.#thread.close());
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #find(keys: readonly Uint8Array[]): Promise<Lookup[]> {
    this.#checkOpen();
    this.#queue.sendIfAbout(keys);
    const now = Date.now();
    const calls: Promise<Found>[] = [];
    for (let at = 0; at < keys.length; at += KEYS_PER_CALL) {
      const packed = packKeys(keys.slice(at, at + KEYS_PER_CALL));
      calls.push(this.#thread.call('find', { keys: packed, now }, [packed]));
    }
    const lookups: Lookup[] = [];
    for (const { packed, objects } of await Promise.all(calls)) lookups.push(...unpackFound(packed, objects));
    return lookups;
  }

  async #orphans(remove: boolean, signal: AbortSignal | undefined): Promise<number> {
    let orphans = 0;
    for (let folder = 0; folder < OBJECT_FOLDERS; folder++) {
      this.#checkOpen(signal);
      orphans += await this.#thread.call('orphans', { folder, remove });
    }
    return orphans;
  }

  #checkOpen(signal?: AbortSignal): void {
    signal?.throwIfAborted();
    if (this.#closing) throw new SpillwayError('ERR_CLOSED', 'the disk cache is closed');
  }
}

function keyBytes(key: CacheKey): Uint8Array {
  // Two strings that are not Unicode would have the same UTF-8 bytes.
  if (typeof key === 'string' && /\p{Surrogate}/u.test(key))
    throw invalidArgument('key', 'a string without lone surrogates', key);
  const bytes = typeof key === 'string' ? Buffer.from(key) : key;
  if (bytes instanceof Uint8Array && bytes.length > 0 && bytes.length <= MAX_KEY_BYTES) return bytes;
  throw invalidArgument('key', `a string or a Uint8Array of 1 to ${MAX_KEY_BYTES} bytes`, key);
}
