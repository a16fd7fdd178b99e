// Collects changes into batches that are committed as one transaction each, and bounds the bytes on their way.
import type { SpillwayError } from '../util/errors.js';
import { type Change, packedBytes } from './disk-wire.js';

/** A batch goes out when it has this many changes, or this many bytes, or is old enough. */
const BATCH_CHANGES = 256;
const BATCH_BYTES = 512 * 1024;

/** What a queued change costs beside its bytes: promise, closures, array headers (about, on V8 11 to 12). */
const OVERHEAD_BYTES = 512;

/** Commits a batch. */
export type Commit = (changes: readonly Change[]) => Promise<void>;

interface Waiter {
  resolve(): void;
  reject(error: SpillwayError): void;
}

export class WriteQueue {
  readonly #commit: Commit;
  readonly #maxBytes: number;
  readonly #maxDelayMs: number;
  readonly #inFlight = new Set<Promise<void>>();
  #changes: Change[] = [];
  /** Keys of the changes that have not been sent. */
  readonly #keys = new Set<string>();
  /** One per change, apart from it: once sent, the bytes need not be kept. */
  #committers: Waiter[] = [];
  #batchBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;
  #waiting: Waiter[] = [];
  #bytes = 0;

  /**
   * `maxBytes` bounds what is queued and not yet committed, for those who wait for {@link WriteQueue.ready}. A change
   * waits `maxDelayMs` at most for others to share its commit; with 0 it waits only for the commit under way.
   */
  constructor(commit: Commit, maxBytes: number, maxDelayMs: number) {
    this.#commit = commit;
    this.#maxBytes = maxBytes;
    this.#maxDelayMs = maxDelayMs;
  }

  /** Bytes queued and not yet committed. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether {@link WriteQueue.ready} would wait. */
  get isFull(): boolean {
    return this.#bytes >= this.#maxBytes;
  }

  /** Resolves once there is room: at once, unless the disk is behind. Rejects when a batch fails meanwhile. */
  ready(): Promise<void> {
    if (!this.isFull) return Promise.resolve();
    this.send();
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** Sends what is queued where it concerns one of `keys`: a commit for each look-up would cost more than the look-up. */
  sendIfAbout(keys: readonly Uint8Array[]): void {
    if (this.#keys.size > 0 && keys.some((key) => this.#keys.has(nameOf(key)))) this.send();
  }

  /** Queues a change; resolves when it is committed, rejects when its batch failed as a whole. */
  add(change: Change): Promise<void> {
    const bytes = OVERHEAD_BYTES + packedBytes(change);
    this.#bytes += bytes;
    this.#batchBytes += bytes;
    this.#changes.push(change);
    this.#keys.add(nameOf(change.key));
    const committed = new Promise<void>((resolve, reject) => this.#committers.push({ resolve, reject }));
    if (this.#changes.length >= BATCH_CHANGES || this.#batchBytes >= BATCH_BYTES) this.send();
    else this.#schedule();
    return committed;
  }

  /** Sends what is queued on its way, without waiting for it. */
  send(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
    this.#timer = undefined;
    this.#immediate = undefined;
    if (this.#changes.length === 0) return;
    const committers = this.#committers;
    const bytes = this.#batchBytes;
    const commit = this.#commit(this.#changes);
    this.#changes = [];
    this.#keys.clear();
    this.#committers = [];
    this.#batchBytes = 0;
    this.#inFlight.add(commit);
    const settle = (how: (waiter: Waiter) => void) => {
      this.#inFlight.delete(commit);
      this.#release(bytes, how);
      committers.forEach(how);
      if (this.#changes.length > 0) this.#schedule();
    };
    commit.then(
      () => settle((waiter) => waiter.resolve()),
      (error: SpillwayError) => settle((waiter) => waiter.reject(error)),
    );
  }

  /** Resolves when all that was queued before is committed; rejects with the first failure of what was on its way. */
  async flush(): Promise<void> {
    this.send();
    await Promise.all(this.#inFlight);
  }

  /** Waits until nothing is on its way any more, however it ended. */
  async drain(): Promise<void> {
    this.send();
    await Promise.allSettled(this.#inFlight);
  }

  #schedule(): void {
    if (this.#maxDelayMs > 0) this.#timer ??= setTimeout(() => this.send(), this.#maxDelayMs);
    else if (this.#inFlight.size === 0) this.#immediate ??= setImmediate(() => this.send());
  }

  #release(bytes: number, how: (waiter: Waiter) => void): void {
    this.#bytes -= bytes;
    if (this.isFull) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    waiting.forEach(how);
  }
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1');
}
