// The result store: cache, journal and resume in one. What is in it need not be done again, whatever stopped the run.
import * as v from 'valibot';
import { DiskCache } from '../cache/disk-cache.js';
import type { CacheFolder } from '../cache/disk-folder.js';
import type { SqliteDriver } from '../cache/disk-sqlite.js';
import { invalidArgument } from '../util/errors.js';
import { parseOptions } from '../util/options.js';
import {
  CONTENT_KEY_BYTES,
  checkKey,
  contentKeyBeside,
  isRacyKey,
  type ResultKey,
  sha256Bytes,
} from './identity.js';
import { decodeEntry, encodeLink, encodeValue, type Stored, type StoredValue } from './value.js';

export interface ResultStoreOptions {
  /** The cache folder; made where it is missing. */
  readonly dir: string;
  /** What the folder may take on the disk, at least 4 MB; no limit unless told. Results unused for longest leave first. */
  readonly maxBytes?: number | string;
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
  /** Changes committed; here and in `corrupt` and `queuedBytes`, those of others who share the folder are included. */
  readonly committed: number;
  readonly queuedBytes: number;
}

/** Results come in a stream that nobody waits for one by one: few commits cost less than many. */
const BATCH_AGE_MS = 100;

const sizeSchema = v.optional(v.union([v.number(), v.string()]));
const optionsSchema = v.strictObject({
  dir: v.pipe(v.string(), v.nonEmpty()),
  maxBytes: sizeSchema,
  queueBytes: sizeSchema,
});

/**
 * An open result store: a disk cache that knows files. Several stores, in one process or many, may share a
 * folder. An open store keeps no process alive; work under way does. After `close` every method rejects with
 * `ERR_CLOSED`.
 */
export class ResultStore implements AsyncDisposable {
  readonly #cache: DiskCache;
  readonly #counts = { lookups: 0, hits: 0, racy: 0 };

  private constructor(cache: DiskCache) {
    this.#cache = cache;
  }

  /** The cache folder, with device and inode. */
  get folder(): CacheFolder {
    return this.#cache.folder;
  }

  /** What results are kept in, for others who keep something in the same folder; it is closed with this store. */
  get cache(): DiskCache {
    return this.#cache;
  }

  /** Opens the store in a cache folder and starts its thread; rejects as `DiskCache.open` does. */
  static async open(options: ResultStoreOptions): Promise<ResultStore> {
    const { dir, maxBytes, queueBytes } = parseOptions(optionsSchema, options, 'results');
    const cacheOptions = {
      maxDelay: BATCH_AGE_MS,
      ...(maxBytes !== undefined && { maxBytes }),
      ...(queueBytes !== undefined && { queueBytes }),
    };
    return new ResultStore(await DiskCache.open(dir, cacheOptions));
  }

  /**
   * What is known of each key, in their order; undefined where nothing is. Sees every `set` made before it.
   * Best called with 256 keys at a time.
   */
  async getMany(keys: readonly ResultKey[]): Promise<(StoredResult | undefined)[]> {
    keys.forEach(checkKey);
    const entries = (await this.#cache.getMany(keys)).map((entry) => entry && decodeEntry(entry));
    const linked = await this.#linkedValues(keys, entries);
    return entries.map((entry) => {
      this.#counts.lookups++;
      const value = entry && ('value' in entry.held ? entry.held.value : linked.next().value);
      if (!entry || !value) return undefined;
      this.#counts[entry.racy ? 'racy' : 'hits']++;
      return entry.racy
        ? { racy: true, value, sha256: Buffer.from(entry.racy).toString('hex') }
        : { racy: false, value };
    });
  }

  /**
   * Keeps a value; the promise resolves once it is committed and survives the death of the process. Whether it
   * may be trusted by stat is judged here, from the times in the key and `read`. Batches: at most 256 changes or
   * 100 ms to a transaction. Await {@link ResultStore.ready} before, so that a slow disk does not grow memory.
   * Rejects with `ERR_INVALID_ARGUMENT` for a racy entry without SHA-256, a failure that is not to be kept, or
   * data JSON cannot express.
   */
  async set(key: ResultKey, value: StoredValue, read: ReadEvidence): Promise<void> {
    checkKey(key);
    const racy = isRacyKey(key, read.readAtMs) ? requiredSha256(read) : undefined;
    return this.#cache.set(key, encodeValue(value, racy));
  }

  /**
   * Notes which content the file of a stat key has, whose value is kept by content: from then on the stat key
   * leads to it. Racy like any other entry.
   */
  async link(key: ResultKey, read: Required<ReadEvidence>): Promise<void> {
    checkStatKey(key);
    return this.#cache.set(key, encodeLink(requiredSha256(read), isRacyKey(key, read.readAtMs)));
  }

  /**
   * Trusts a racy entry from now on, after its content was read again and had the SHA-256 of the entry. Does
   * nothing while the file is too young still, or where the entry is of other content meanwhile.
   */
  async confirm(key: ResultKey, read: Required<ReadEvidence>): Promise<void> {
    checkStatKey(key);
    const sha256 = requiredSha256(read);
    if (isRacyKey(key, read.readAtMs)) return;
    const bytes = await this.#cache.get(key);
    const entry = bytes && decodeEntry(bytes);
    if (!entry?.racy || Buffer.compare(entry.racy, sha256) !== 0) return;
    const trusted =
      'value' in entry.held ? encodeValue(entry.held.value, undefined) : encodeLink(sha256, false);
    return this.#cache.set(key, trusted);
  }

  /** Resolves once the write queue has room; await it before `set`. */
  ready(): Promise<void> {
    return this.#cache.ready();
  }

  /** Resolves once everything set before is committed; rejects with the first failure of what was on its way. */
  flush(): Promise<void> {
    return this.#cache.flush();
  }

  stats(): ResultStoreStats {
    const { corrupt, committed, queuedBytes } = this.#cache.counts();
    const { lookups, hits, racy } = this.#counts;
    const misses = lookups - hits - racy;
    return { driver: this.#cache.driver, lookups, hits, racy, misses, corrupt, committed, queuedBytes };
  }

  /**
   * Commits what is queued (each `set` tells how that went), closes the database and waits until the thread is
   * gone. Harmless when repeated.
   */
  close(): Promise<void> {
    return this.#cache.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The values that links lead to, in the order of the links. */
  async #linkedValues(
    keys: readonly ResultKey[],
    entries: readonly (Stored | undefined)[],
  ): Promise<Iterator<StoredValue | undefined, undefined>> {
    const contentKeys: ResultKey[] = [];
    for (const [i, key] of keys.entries()) {
      const held = entries[i]?.held;
      if (held && 'content' in held) contentKeys.push(contentKeyBeside(key, held.content));
    }
    const found = contentKeys.length > 0 ? await this.#cache.getMany(contentKeys) : [];
    return found.map((bytes) => bytes && directValue(decodeEntry(bytes)))[Symbol.iterator]();
  }
}

/** A content key's entry holds its value; anything else under it is nothing we wrote. */
function directValue({ held }: Stored): StoredValue | undefined {
  return 'value' in held ? held.value : undefined;
}

function checkStatKey(key: ResultKey): void {
  checkKey(key);
  if (key.length === CONTENT_KEY_BYTES) throw invalidArgument('key', 'a key made by statKey', key);
}

function requiredSha256(read: ReadEvidence): Uint8Array {
  if (read.sha256 !== undefined) return sha256Bytes(read.sha256);
  throw invalidArgument(
    'read.sha256',
    'the SHA-256 of content that changed less than 2 s before it was read',
    read.sha256,
  );
}
