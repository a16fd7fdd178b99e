// Everything a disk cache's worker thread does, synchronous: entries, objects and the limit under one lock.
import { dirname } from 'node:path';
import { SpillwayError } from '../util/errors.js';
import type { DiskFigures, Found, PruneStep } from './disk-calls.js';
import { Entries, type Held } from './disk-entries.js';
import { isLarge, Limit, NO_NEED, type RoomStep } from './disk-limit.js';
import { digestOf, Objects } from './disk-objects.js';
import { cacheError, openCacheDatabase } from './disk-schema.js';
import type { SqliteDatabase, SqliteDriver, SqliteStatement } from './disk-sqlite.js';
import { type Change, FoundWriter } from './disk-wire.js';

/** A change with what has to be computed of it before the lock is taken. */
interface Prepared {
  readonly change: Change;
  /** SHA-256 of a value that becomes an object. */
  readonly digest: Uint8Array | undefined;
}

/** A value that was found: in its row, or in a file of its own. */
type Value = { readonly inline: Uint8Array } | { readonly object: ArrayBuffer };

/** Entries read in one step of `verify`, and bytes after which a step ends early. */
const VERIFY_ENTRIES = 256;
const VERIFY_BYTES = 8 * 1024 * 1024;

export class DiskStore {
  readonly #file: string;
  readonly #db: SqliteDatabase;
  readonly #entries: Entries;
  readonly #objects: Objects;
  readonly #limit: Limit;
  readonly #count: SqliteStatement;
  #evictions = 0;

  /** `maxBytes` null: no limit. Throws what `openCacheDatabase` throws; all methods throw `ERR_CACHE_CORRUPT` and `ERR_CACHE_FAILED`. */
  constructor(databaseFile: string, maxBytes: number | null) {
    this.#file = databaseFile;
    this.#db = openCacheDatabase(databaseFile);
    try {
      this.#entries = new Entries(this.#db, maxBytes !== null);
      this.#objects = new Objects(this.#db, dirname(databaseFile));
      this.#limit = new Limit(this.#db, databaseFile, maxBytes);
      this.#count = this.#db.prepare('SELECT count(*) AS count FROM entries');
      this.#recover();
    } catch (error) {
      this.#db.close();
      throw cacheError(error, databaseFile);
    }
  }

  get driver(): SqliteDriver {
    return this.#db.driver;
  }

  /** Looks keys up; the answer is for `unpackFound`. */
  find(keys: Iterable<Uint8Array>, now: number): Found {
    const helds = this.#read(() => Array.from(keys, (key) => ({ key, held: this.#entries.find(key, now) })));
    const found = new FoundWriter();
    const objects: ArrayBuffer[] = [];
    for (const { key, held } of helds) {
      const value = this.#valueAt(key, held, now);
      if (value === 'miss') found.miss();
      else if (value === 'corrupt') found.corrupt();
      else if ('inline' in value) found.inline(value.inline);
      else {
        found.object();
        objects.push(value.object);
      }
    }
    this.#noteUses(this.#entries.manyUses);
    return { packed: found.finish(), objects };
  }

  has(keys: Iterable<Uint8Array>, now: number): Uint8Array {
    return this.#read(() => Uint8Array.from([...keys].map((key) => (this.#entries.has(key, now) ? 1 : 0))));
  }

  /**
   * Commits changes, in one transaction or, where the limit bounds those, in several: when one fails, those
   * before it stand.
   */
  write(changes: Iterable<Change>, now: number): void {
    for (const batch of this.#limit.split(changes)) {
      const prepared = batch.map((change) => ({
        change,
        digest: change.value && isLarge(change.value) ? digestOf(change.value) : undefined,
      }));
      for (;;) {
        const step = this.#write(() => this.#admit(prepared, now));
        if (!step) break;
        this.#finish(step);
      }
      if (prepared.some(({ digest }) => digest)) this.#write(() => this.#put(prepared, now));
    }
    if (this.#objects.hasGarbage) this.#collectGarbage();
  }

  clear(): void {
    while (this.#write(() => this.#limit.removeSome()) > 0) this.#collectGarbage();
    this.compact();
  }

  stats(): DiskFigures {
    return this.#read(() => ({
      entries: this.#count.get()?.count as number,
      bytes: this.#limit.bytes(),
      evictions: this.#evictions,
    }));
  }

  verify(after: number): { next: number | null; checked: number; corrupt: number } {
    return this.#read(() => {
      let [id, checked, corrupt, bytes] = [after, 0, 0, 0];
      while (checked < VERIFY_ENTRIES && bytes < VERIFY_BYTES) {
        const entry = this.#entries.next(id);
        if (!entry) return { next: null, checked, corrupt };
        const value = this.#valueOf(entry.held);
        if (typeof value === 'string') corrupt++;
        else bytes += value.length;
        checked++;
        id = entry.id;
      }
      return { next: id, checked, corrupt };
    });
  }

  orphans(folder: number, remove: boolean): number {
    const look = () => this.#objects.orphans(folder, remove);
    return remove ? this.#write(look) : this.#read(look);
  }

  /** One step towards this cache's own limit, and `maxBytes` where it is not null. */
  prune(now: number, maxBytes: number | null): PruneStep | null {
    this.#limit.checkpoint();
    const step = this.#write(() => {
      const expired = this.#limit.removeExpired(now);
      if (expired > 0) return { expired, evicted: 0, gaveBack: false };
      const excess = maxBytes === null ? 0 : this.#limit.bytes() - maxBytes;
      const shortage = Math.max(excess, this.#limit.shortage(NO_NEED));
      return shortage > 0 ? this.#limit.makeRoom(NO_NEED, shortage, now) : null;
    });
    if (step) this.#finish(step);
    return step;
  }

  /** Gives all free space back to the file system. */
  compact(): void {
    while (this.#write(() => this.#limit.giveBack())) this.#limit.checkpoint();
    this.#limit.checkpoint();
  }

  close(): void {
    this.#noteUses(this.#entries.hasUses);
    this.#db.close();
  }

  /** Puts a batch if there is room (objects are counted in before they are written), else makes some and says how. */
  #admit(batch: readonly Prepared[], now: number): RoomStep | undefined {
    this.#entries.writeUses(this.#limit.transactionPages / 4);
    const need = this.#limit.needOf(batch.map(({ change }) => change));
    const shortage = this.#limit.shortage(need);
    if (shortage > 0) {
      const step = this.#limit.makeRoom(need, shortage, now);
      if (!step)
        throw new SpillwayError(
          'ERR_CACHE_FAILED',
          `expected room for ${need.objectBytes} bytes in the cache ${this.#file} but its limit leaves none`,
        );
      return step;
    }
    if (batch.every(({ digest }) => digest === undefined)) this.#put(batch, now);
    for (const { change, digest } of batch)
      if (digest) this.#objects.reserve(digest, (change.value as Uint8Array).length);
    return undefined;
  }

  #put(batch: readonly Prepared[], now: number): void {
    for (const { change, digest } of batch) {
      if (!change.value) {
        this.#entries.remove(change.key);
        continue;
      }
      if (digest) this.#objects.write(digest, change.value);
      this.#entries.put({ ...change, held: digest ? { digest } : { value: change.value } }, now);
    }
  }

  #valueAt(key: Uint8Array, held: Held | 'miss' | 'corrupt', now: number): Value | 'miss' | 'corrupt' {
    if (typeof held === 'string') return held;
    if ('value' in held) return { inline: held.value };
    const value = this.#objects.read(held.digest);
    if (typeof value !== 'string') return { object: value.buffer };
    if (value === 'corrupt') return value;
    // Another process may have removed or replaced the entry since it was looked up.
    const again = this.#read(() => this.#entries.find(key, now));
    const isSame = typeof again !== 'string' && 'digest' in again && sameBytes(again.digest, held.digest);
    return isSame ? 'corrupt' : this.#valueAt(key, again, now);
  }

  #valueOf(held: Held | 'corrupt'): Uint8Array | 'missing' | 'corrupt' {
    if (held === 'corrupt') return held;
    return 'value' in held ? held.value : this.#objects.read(held.digest);
  }

  /** After a process died: what it was writing goes, and what it had removed. */
  #recover(): void {
    if (this.#objects.hasAside) this.#write(() => this.#objects.clearAside());
    if (this.#objects.hasGarbage) this.#collectGarbage();
  }

  #finish({ evicted, gaveBack }: RoomStep): void {
    this.#evictions += evicted;
    this.#collectGarbage();
    if (gaveBack) this.#limit.checkpoint();
  }

  /** In transactions of their own: a file may go only once it is certain that no entry refers to it. */
  #collectGarbage(): void {
    while (this.#write(() => this.#objects.collectGarbage()));
  }

  /** Reading goes on where noting it fails, on a full disk for one: the age of an entry is then a little off. */
  #noteUses(due: boolean): void {
    if (!due) return;
    try {
      this.#write(() => this.#entries.writeUses(this.#limit.transactionPages / 4));
    } catch (error) {
      if (!(error instanceof SpillwayError) || error.code !== 'ERR_CACHE_FAILED') throw error;
    }
  }

  /** One write transaction, which nobody else's can come between; it has to be as short as its limit asks. */
  #write<T>(body: () => T): T {
    for (;;) {
      const done = this.#transaction('write', () => (this.#limit.logIsFull ? undefined : { result: body() }));
      if (done) return done.result;
      if (!this.#limit.checkpoint())
        throw new SpillwayError(
          'ERR_CACHE_FAILED',
          `expected to empty the log of the cache ${this.#file}, but another process has been reading for too long`,
        );
    }
  }

  #read<T>(body: () => T): T {
    return this.#transaction('read', body);
  }

  #transaction<T>(kind: 'read' | 'write', body: () => T): T {
    try {
      return this.#db.transaction(kind, body);
    } catch (error) {
      throw cacheError(error, this.#file);
    }
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
