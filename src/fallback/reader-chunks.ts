// Chunks of a big file in JavaScript, one read ahead.
import { createHash } from 'node:crypto';
import type { ChunkPlan, ChunkReader, FileStat, Ledger } from '../contract/index.js';
import { SpillwayError } from '../util/errors.js';
import { ReaderFile } from './reader-file.js';
import { ReaderMemory } from './reader-memory.js';

type Bytes = Uint8Array<ArrayBuffer>;

/** Opens a stream of chunks; nothing is read before the first `next`. */
export function createChunkReader(ledger: Ledger, plan: ChunkPlan): ChunkReader {
  return new FallbackChunkReader(ledger, plan);
}

class FallbackChunkReader implements ChunkReader {
  readonly #plan: ChunkPlan;
  readonly #memory: ReaderMemory;
  readonly #hash;
  readonly #closed: Promise<null>;
  #resolveClosed: () => void = () => undefined;
  #isClosed = false;
  #file: ReaderFile | undefined;
  #offset: number;
  #end = 0;
  #blockBytes = 0;
  #ahead: Promise<Bytes | null> | undefined;
  #summary: { stat: FileStat; digest: ArrayBuffer } | null = null;

  constructor(ledger: Ledger, plan: ChunkPlan) {
    this.#plan = plan;
    this.#offset = plan.start;
    this.#memory = new ReaderMemory(ledger, plan.account, plan.slots);
    this.#hash = plan.sha256 ? createHash('sha256') : undefined;
    this.#closed = new Promise((resolve) => {
      this.#resolveClosed = () => resolve(null);
    });
  }

  async next(): Promise<Bytes | null> {
    const reading = this.#ahead ?? this.#readNext();
    this.#ahead = undefined;
    const bytes = await Promise.race([this.#closed, reading]);
    if (!bytes || this.#isClosed) return null;
    this.#memory.lend(bytes.buffer);
    this.#readAhead();
    return bytes;
  }

  retain(buffer: ArrayBuffer): void {
    this.#memory.retain(buffer);
  }

  release(buffer: ArrayBuffer): void {
    this.#memory.release(buffer);
  }

  summary() {
    return this.#summary;
  }

  close(): void {
    this.#isClosed = true;
    this.#resolveClosed();
    this.#memory.close();
    // A read in progress closes the file itself, once it knows that nobody waits for it.
    if (!this.#ahead) void this.#shut();
  }

  /** Begins the next read where a buffer is at hand. */
  #readAhead(): void {
    if (this.#offset >= this.#end) return;
    const buffer = this.#memory.take(this.#blockBytes);
    if (!buffer) return;
    this.#ahead = this.#fill(buffer);
    // Whoever calls next() sees the failure; nobody may.
    this.#ahead.catch(() => undefined);
  }

  async #readNext(): Promise<Bytes | null> {
    if (!this.#file && !this.#summary) await this.#begin();
    if (this.#isClosed || this.#offset >= this.#end) return this.#finish();
    const buffer = this.#memory.take(this.#blockBytes);
    if (buffer) return this.#fill(buffer);
    await this.#shut();
    throw new SpillwayError(
      'ERR_BUDGET_EXCEEDED',
      `expected room for ${this.#blockBytes} bytes to read into, but the budget has less left`,
    );
  }

  async #begin(): Promise<void> {
    const { path, chunkBytes, start, end } = this.#plan;
    this.#file = await ReaderFile.open(Buffer.from(path));
    const { madeUp, version } = this.#file;
    this.#end = madeUp ? end : Math.min(end, version.size);
    this.#blockBytes = Math.max(0, Math.min(chunkBytes, this.#end - start));
  }

  async #fill(buffer: ArrayBuffer): Promise<Bytes | null> {
    const file = this.#file as ReaderFile;
    let used = 0;
    try {
      const into = new Uint8Array(buffer, 0, Math.min(this.#blockBytes, this.#end - this.#offset));
      if (file.madeUp) used = await file.read(into, this.#offset);
      else {
        await file.readAll(into, this.#offset);
        used = into.length;
      }
      await file.checkUnchanged();
      if (used < into.length) this.#end = this.#offset + used;
    } catch (error) {
      used = 0;
      await this.#shut();
      throw error;
    } finally {
      if (used === 0 || this.#isClosed) this.#memory.giveBack(buffer);
    }
    if (used === 0 || this.#isClosed) return this.#finish();
    const bytes = new Uint8Array(buffer, 0, used);
    this.#hash?.update(bytes);
    this.#offset += used;
    return bytes;
  }

  async #finish(): Promise<null> {
    const stat = this.#file?.version;
    await this.#shut();
    if (this.#isClosed || !stat) return null;
    const digest = Uint8Array.from(this.#hash?.digest() ?? []).buffer;
    this.#summary = { stat, digest };
    return null;
  }

  async #shut(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    this.#memory.close();
    await file?.close();
  }
}
