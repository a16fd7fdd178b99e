// The result store: cache, journal and resume in one. What is in it need not be done again, whatever stopped the run.
import * as v from 'valibot';
import { invalidArgument, SpillwayError } from '../util/errors.js';
import { parseOptions } from '../util/options.js';
import { parseSize } from '../util/sizes.js';
import { type CacheFolder, openCacheFolder } from './cache-folder.js';
import { CONTENT_KEY_BYTES, checkKey, isRacyKey, type ResultKey, sha256Bytes } from './identity.js';
import type { SqliteDriver } from './sqlite-driver.js';
import { StoreThread } from './store-thread.js';
import { decodeValue, encodeValue, type StoredValue } from './value.js';
import { type Found, packChanges, packKeys, unpackFound } from './wire.js';
import { WriteQueue } from './write-queue.js';

export interface ResultStoreOptions {
  /** The cache folder; made where it is missing. */
  readonly dir: string;
  /** Bytes of results queued and not yet committed before `ready` makes callers wait. Default `'2MB'`. */
  readonly queueBytes?: number | string;
}

/** How and when the content behind a result was read. */
export interface ReadEvidence {
  /** `Date.now()` from before the file was opened. */
  readonly readAtMs: number;
  /** SHA-256 of the whole content, lower-case hex; required where stat cannot vouch for it (`isRacy`). */
  readonly sha256?: string;
}

/**
 * What the store knows of a key. A racy entry was made from content that stat cannot vouch for: it is a hit
 * only if the file's SHA-256 is `sha256` still, and `confirm` then says so for the next time.
 */
export type StoredResult =
  | { readonly racy: false; readonly value: StoredValue }
  | { readonly racy: true; readonly value: StoredValue; readonly sha256: string };

/** Counted since this store was opened, but for `queuedBytes`, which is now. */
export interface ResultStoreStats {
  readonly driver: SqliteDriver;
  readonly lookups: number;
  /** Trusted entries found. */
  readonly hits: number;
  /** Racy entries found. */
  readonly racy: number;
  /** Keys without an entry, or with one that failed its checksum. */
  readonly misses: number;
  /** Entries that failed their checksum; each counts as a miss and is overwritten by the next `set`. */
  readonly corrupt: number;
  /** Changes committed. */
  readonly committed: number;
  readonly queuedBytes: number;
}

const optionsSchema = v.strictObject({
  dir: v.pipe(v.string(), v.nonEmpty()),
  queueBytes: v.optional(v.union([v.number(), v.string()]), '2MB'),
});

/** Keys in one message to the worker: enough that the crossing costs little, few enough to answer in 2 ms. */
const KEYS_PER_CALL = 256;

/**
 * An open result store: one worker thread that does all of SQLite in batches, for any number of pipelines.
 * Several stores, in one process or many, may share a folder. An open store keeps no process alive; work under
 * way does. After `close` every method rejects with `ERR_CLOSED`.
 */
export class ResultStore implements AsyncDisposable {
  /** The cache folder, with device and inode. */
  readonly folder: CacheFolder;
  readonly #thread: StoreThread;
  readonly #driver: SqliteDriver;
  readonly #queue: WriteQueue;
  readonly #counts = { lookups: 0, hits: 0, racy: 0, misses: 0, corrupt: 0, committed: 0 };
  #closing: Promise<void> | undefined;

  private constructor(folder: CacheFolder, thread: StoreThread, driver: SqliteDriver, queueBytes: number) {
    this.folder = folder;
    this.#thread = thread;
    this.#driver = driver;
    this.#queue = new WriteQueue(async (changes, bytes) => {
      const count = changes.length;
      await thread.call('write', packChanges(changes, bytes));
      this.#counts.committed += count;
    }, queueBytes);
  }

  /**
   * Opens the store in a cache folder and starts its thread. Rejects with `ERR_CACHE_UNSAFE` for a folder that
   * others could have written, `ERR_CACHE_CORRUPT`, `ERR_CACHE_VERSION` for one of a newer spillway,
   * `ERR_MISSING_DEPENDENCY` without an SQLite driver, or `ERR_CACHE_FAILED`.
   */
  static async open(options: ResultStoreOptions): Promise<ResultStore> {
    const { dir, queueBytes } = parseOptions(optionsSchema, options, 'results');
    const maxBytes = parseSize(queueBytes, 'results.queueBytes');
    const folder = await openCacheFolder(dir);
    const thread = new StoreThread();
    try {
      return new ResultStore(folder, thread, await thread.call('open', folder.databaseFile), maxBytes);
    } catch (error) {
      await thread.terminate();
      throw error;
    }
  }

  /**
   * The number that stands for a pipeline's fingerprint (any text that names all its results depend on) in this
   * folder. `statKey` and `contentKey` take it.
   */
  async fingerprint(text: string): Promise<number> {
    this.#checkOpen();
    return this.#thread.call('fingerprint', text);
  }

  /**
   * What is known of each key, in their order; undefined where nothing is. Sees every `set` made before it.
   * Best called with 256 keys at a time.
   */
  async getMany(keys: readonly ResultKey[]): Promise<(StoredResult | undefined)[]> {
    this.#checkOpen();
    keys.forEach(checkKey);
    this.#queue.send();
    const calls: Promise<ArrayBuffer>[] = [];
    for (let at = 0; at < keys.length; at += KEYS_PER_CALL)
      calls.push(this.#thread.call('find', packKeys(keys.slice(at, at + KEYS_PER_CALL))));
    const results: (StoredResult | undefined)[] = [];
    for (const packed of await Promise.all(calls))
      for (const found of unpackFound(packed)) results.push(this.#take(found));
    return results;
  }

  /**
   * Keeps a value; the promise resolves once it is committed and survives the death of the process. Whether it
   * may be trusted by stat is judged here, from the times in the key and `read`. Batches: at most 256 changes or
   * 100 ms to a transaction. Await {@link ResultStore.ready} before, so that a slow disk does not grow memory.
   * Rejects with `ERR_INVALID_ARGUMENT` for a racy entry without SHA-256, a failure that is not to be kept, or
   * data JSON cannot express.
   */
  async set(key: ResultKey, value: StoredValue, read: ReadEvidence): Promise<void> {
    this.#checkOpen();
    checkKey(key);
    const sha256 = isRacyKey(key, read.readAtMs) ? requiredSha256(read) : undefined;
    return this.#queue.add({ key, sha256, value: encodeValue(value) });
  }

  /**
   * Trusts a racy entry from now on, after its content was read again and had the SHA-256 of the entry. Does
   * nothing while the file is too young still, or where the entry is of other content meanwhile.
   */
  async confirm(key: ResultKey, read: Required<ReadEvidence>): Promise<void> {
    this.#checkOpen();
    checkKey(key);
    if (key.length === CONTENT_KEY_BYTES) throw invalidArgument('key', 'a key made by statKey', key);
    const sha256 = requiredSha256(read);
    if (isRacyKey(key, read.readAtMs)) return;
    return this.#queue.add({ key, sha256, value: undefined });
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

  stats(): ResultStoreStats {
    return { driver: this.#driver, ...this.#counts, queuedBytes: this.#queue.bytes };
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

  #take(found: Found): StoredResult | undefined {
    this.#counts.lookups++;
    if (found.state === 'miss' || found.state === 'corrupt') {
      this.#counts.misses++;
      if (found.state === 'corrupt') this.#counts.corrupt++;
      return undefined;
    }
    const value = decodeValue(found.json);
    if (found.state === 'racy') {
      this.#counts.racy++;
      return { racy: true, value, sha256: found.sha256 };
    }
    this.#counts.hits++;
    return { racy: false, value };
  }

  #checkOpen(): void {
    if (this.#closing) throw new SpillwayError('ERR_CLOSED', 'the result store is closed');
  }
}

function requiredSha256(read: ReadEvidence): Uint8Array {
  if (read.sha256 !== undefined) return sha256Bytes(read.sha256);
  throw invalidArgument(
    'read.sha256',
    'the SHA-256 of content that changed less than 2 s before it was read',
    read.sha256,
  );
}
