// The caller's side of a disk cache's worker thread: calls as promises, and a thread that keeps no process alive.
import { Worker } from 'node:worker_threads';
import { compiledUrl } from '../util/compiled.js';
import { codeOf, type ErrorCode, messageOf, SpillwayError } from '../util/errors.js';
import type { DiskAnswer, DiskCalls, DiskRequest } from './disk-calls.js';

/**
 * A thread costs about 9 MB as it is; these keep its heap from growing where SQLite's buffers, which live
 * outside of it, are all that is needed.
 */
const LIMITS = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 2, stackSizeMb: 1 };

interface Pending {
  resolve(result: unknown): void;
  reject(error: SpillwayError): void;
}

export class DiskThread {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  readonly #exit: Promise<unknown>;
  #nextId = 0;
  #failure: SpillwayError | undefined;

  constructor() {
    this.#worker = new Worker(compiledUrl('./disk-worker.js', import.meta.url), {
      name: 'spillway-disk',
      resourceLimits: LIMITS,
      // Loaders and flags of the host program are not for this thread.
      execArgv: [],
    });
    this.#worker.unref();
    this.#worker.on('message', (answer: DiskAnswer) => this.#settle(answer));
    this.#worker.on('messageerror', (error) => this.#die(error));
    this.#worker.on('error', (error) => this.#die(error));
    this.#worker.on('exit', () => this.#die(undefined));
    this.#exit = new Promise((resolve) => this.#worker.once('exit', resolve));
  }

  /**
   * One call; the ArrayBuffers in `transfer` are handed over. Rejects with what the worker threw, or with
   * `ERR_CACHE_FAILED` or `ERR_OUT_OF_MEMORY` once the thread is dead.
   */
  call<C extends keyof DiskCalls>(
    call: C,
    argument: DiskCalls[C]['argument'],
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<DiskCalls[C]['answer']> {
    if (this.#failure) return Promise.reject(this.#failure);
    const request: DiskRequest = { id: this.#nextId++, call, argument };
    return new Promise((resolve, reject) => {
      // Work under way keeps the process alive until it is done, an idle thread does not.
      if (this.#pending.size === 0) this.#worker.ref();
      this.#pending.set(request.id, { resolve: resolve as (result: unknown) => void, reject });
      this.#worker.postMessage(request, transfer);
    });
  }

  /** Closes the database and waits until the thread is gone, in any case. Rejects where closing failed. */
  async close(): Promise<void> {
    try {
      await this.call('close', null);
    } finally {
      this.#worker.ref();
      if (this.#failure) await this.#worker.terminate();
      else await this.#exit;
    }
  }

  /** Ends the thread without closing the database: for one that could not be opened. */
  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }

  #settle(answer: DiskAnswer): void {
    const pending = this.#pending.get(answer.id);
    this.#pending.delete(answer.id);
    if (this.#pending.size === 0) this.#worker.unref();
    if ('error' in answer)
      pending?.reject(new SpillwayError(answer.error.code as ErrorCode, answer.error.message));
    else pending?.resolve(answer.result);
  }

  #die(cause: unknown): void {
    this.#failure ??= new SpillwayError(
      codeOf(cause) === 'ERR_WORKER_OUT_OF_MEMORY' ? 'ERR_OUT_OF_MEMORY' : 'ERR_CACHE_FAILED',
      `the thread of the disk cache ended${cause === undefined ? '' : `: ${messageOf(cause)}`}`,
      { cause },
    );
    for (const pending of this.#pending.values()) pending.reject(this.#failure);
    this.#pending.clear();
  }
}
