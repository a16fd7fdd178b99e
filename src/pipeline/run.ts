// One run: files in, results out. Work already done is skipped, one bad file never stops the rest.
import type { ThermalManager } from '../batch/thermal.js';
import type { MemoryManager } from '../memory/manager.js';
import type { ResultStore } from '../results/result-store.js';
import type { ScanBatch } from '../scan/batch.js';
import { Channel } from '../util/channel.js';
import { Flow } from './flow.js';
import { Journal } from './journal.js';
import type { LeakVerdict, LeakWatch } from './leak-watch.js';
import { Meter, type Progress, type RunFigures } from './meter.js';
import type { OpenWorkload, Result, Served } from './workload.js';

/** Everything a run stands on. */
export interface RunParts {
  readonly source: AsyncIterable<ScanBatch>;
  readonly open: (signal: AbortSignal) => Promise<OpenWorkload>;
  readonly store: ResultStore | undefined;
  readonly memory: MemoryManager;
  /** What watches the heat; it is started already. */
  readonly thermal?: ThermalManager | undefined;
  /** Files prepared at once. */
  readonly workers: number;
  readonly childPeakRssBytes: () => number;
  /** What looks for memory that is never given back. */
  readonly leaks: LeakWatch;
  readonly signal?: AbortSignal | undefined;
}

/** A run's summary: its figures, who served, and what the workload adds. */
export interface RunStats extends RunFigures {
  /** Accounts that grew with the files and never gave back; known once the run has ended. */
  readonly leaks: readonly LeakVerdict[];
  readonly served: Served | undefined;
  readonly extra: Record<string, unknown>;
}

/** Results that may wait for the consumer before the work waits too. */
const RESULTS = 256;

/**
 * Iterate it to get the results; the work keeps pace with the consumer. It ends by itself, by `signal`, by
 * leaving the loop, or with the first error that is not one file's own (a broken model, a full disk).
 */
export class Run implements AsyncIterable<Result> {
  readonly #parts: RunParts;
  readonly #meter: Meter;
  readonly #abort = new AbortController();
  readonly #results = new Channel<Result>(RESULTS);
  readonly #done: Promise<void>;
  #workload: OpenWorkload | undefined;
  #stats: RunStats | undefined;
  #leaks: readonly LeakVerdict[] = [];

  /** @internal Made by `Spillway.run`. */
  constructor(parts: RunParts) {
    this.#parts = parts;
    this.#meter = new Meter(parts);
    this.#done = this.#drive();
    // Whoever iterates gets the error; without this an abandoned run would end the process.
    this.#done.catch(() => undefined);
  }

  /** The run so far. */
  progress(): Progress {
    return this.#meter.progress();
  }

  /** Tells how much there is to do, so that `progress` knows the time left. */
  expect(files: number, bytes: number): void {
    this.#meter.expect(files, bytes);
  }

  /** Ends the run: what is in flight is dropped, what is stored stays, and the iteration throws `reason`. */
  abort(reason: unknown = new DOMException('the run was aborted', 'AbortError')): void {
    this.#stop(reason);
  }

  /** Resolves once the run has let go of everything, however it ended. */
  get ended(): Promise<void> {
    return this.#done.catch(() => undefined);
  }

  /** Figures of the run; final once the iteration has ended. */
  stats(): RunStats {
    return this.#stats ?? this.#currentStats();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Result, void, undefined> {
    try {
      for (;;) {
        const result = await this.#results.shift();
        if (!result) break;
        yield result;
      }
      await this.#done;
    } finally {
      // Harmless after the end; before it, the consumer has left the loop.
      this.#stop(new DOMException('the consumer left the loop', 'AbortError'));
      await this.#done.catch(() => undefined);
    }
  }

  async #drive(): Promise<void> {
    const { signal } = this.#parts;
    const onAbort = () => this.#stop(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted) onAbort();
    try {
      await this.#work();
    } catch (error) {
      this.#stop(error);
      throw this.#abort.signal.reason;
    } finally {
      signal?.removeEventListener('abort', onAbort);
      this.#meter.stop();
      this.#leaks = this.#parts.leaks.verdicts().filter(({ leaking }) => leaking);
      this.#stats = this.#currentStats();
      await this.#workload?.[Symbol.asyncDispose]();
      this.#results.close();
    }
  }

  async #work(): Promise<void> {
    this.#abort.signal.throwIfAborted();
    const workload = await this.#parts.open(this.#abort.signal);
    this.#workload = workload;
    this.#parts.memory.require('this job', workload.leastBytes);
    const { source, memory, thermal, workers } = this.#parts;
    const journal = new Journal(this.#parts.store, workload);
    const { signal } = this.#abort;
    const emit = (result: Result) => this.#emit(result);
    const stop = (error: unknown) => this.#stop(error);
    try {
      await new Flow({ source, workload, journal, memory, thermal, workers, signal, emit, stop }).run();
    } finally {
      await journal.flush();
    }
  }

  async #emit(result: Result): Promise<void> {
    this.#meter.count(result);
    await this.#results.push(result);
  }

  /** Ends the work in flight; the first reason counts. */
  #stop(reason: unknown): void {
    if (this.#abort.signal.aborted) return;
    this.#abort.abort(reason);
    this.#results.clear();
  }

  #currentStats(): RunStats {
    return {
      ...this.#meter.figures(),
      leaks: this.#leaks,
      served: this.#workload?.served(),
      extra: this.#workload?.summary() ?? {},
    };
  }
}
