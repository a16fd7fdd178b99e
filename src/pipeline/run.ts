// One run: files in, results out. Work already done is skipped, one bad file never stops the rest.
import type { MemoryManager } from '../memory/manager.js';
import type { ResultStore } from '../results/result-store.js';
import type { ScanBatch } from '../scan/batch.js';
import { Channel } from '../util/channel.js';
import { codeOf, messageOf } from '../util/errors.js';
import { type Taken, takeIn } from './intake.js';
import { Journal, type Known } from './journal.js';
import { Meter, type Progress, type RunFigures } from './meter.js';
import { entryOf, failureOf, successOf } from './result.js';
import type { Evidence, FileEntry, KeptOutcome, OpenWorkload, Outcome, Result, Served } from './workload.js';

/** Everything a run stands on. */
export interface RunParts {
  readonly source: AsyncIterable<ScanBatch>;
  readonly open: (signal: AbortSignal) => Promise<OpenWorkload>;
  readonly store: ResultStore | undefined;
  readonly memory: MemoryManager;
  /** Files prepared at once. */
  readonly workers: number;
  readonly childPeakRssBytes: () => number;
  readonly signal?: AbortSignal | undefined;
}

/** A run's summary: its figures, who served, and what the workload adds. */
export interface RunStats extends RunFigures {
  readonly served: Served | undefined;
  readonly extra: Record<string, unknown>;
}

interface Task {
  readonly file: FileEntry;
  readonly known: Known | undefined;
}

/** Errors that are not one file's own: the next file would fail the same way. */
const FATAL: ReadonlySet<string> = new Set([
  'ERR_CLOSED',
  'ERR_DEVICE_UNAVAILABLE',
  'ERR_ENGINE',
  'ERR_INVALID_ARGUMENT',
  'ERR_MISSING_DEPENDENCY',
  'ERR_MODEL_REJECTED',
  'ERR_NATIVE_UNAVAILABLE',
]);

/** Files whose results are looked up at once: SQLite answers 256 at 5 µs each, one by one at 54 µs. */
const LOOKUP = 256;
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
  readonly #tasks: Channel<Task>;
  readonly #finishing = new Set<Promise<void>>();
  readonly #done: Promise<void>;
  #workload: OpenWorkload | undefined;
  #stats: RunStats | undefined;

  /** @internal Made by `Spillway.run`. */
  constructor(parts: RunParts) {
    this.#parts = parts;
    this.#meter = new Meter(parts.memory, parts.childPeakRssBytes);
    this.#tasks = new Channel<Task>(2 * LOOKUP);
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
    const journal = await Journal.open(this.#parts.store, workload.fingerprint);
    try {
      const workers = Array.from({ length: this.#parts.workers }, () => this.#prepareAll(workload, journal));
      await this.#settleAll([this.#lookUpAll(workload, journal), ...workers]);
      await this.#settleAll([...this.#finishing]);
    } finally {
      await journal.flush();
    }
    this.#abort.signal.throwIfAborted();
  }

  /** Waits for all; the first failure stops the others, which then end soon, and is thrown. */
  async #settleAll(all: readonly Promise<void>[]): Promise<void> {
    const guarded = all.map((each) =>
      each.catch((error: unknown) => {
        this.#stop(error);
        throw error;
      }),
    );
    await Promise.allSettled(guarded);
    await Promise.all(guarded);
  }

  /** Walks the source: what is known goes straight out, the rest to the workers. */
  async #lookUpAll(workload: OpenWorkload, journal: Journal): Promise<void> {
    try {
      for await (const batch of this.#parts.source) {
        const files: FileEntry[] = [];
        for (const file of batch) {
          if (file.error)
            await this.#emit(failureOf({ path: file.path, pathBytes: file.pathBytes }, file.error, false));
          else files.push(entryOf(file));
        }
        for (let at = 0; at < files.length; at += LOOKUP)
          await this.#lookUp(files.slice(at, at + LOOKUP), workload, journal);
        if (this.#abort.signal.aborted) return;
      }
    } finally {
      this.#tasks.close();
    }
  }

  async #lookUp(files: readonly FileEntry[], workload: OpenWorkload, journal: Journal): Promise<void> {
    const found = await journal.lookUp(files);
    for (const [i, file] of files.entries()) {
      const known = found[i];
      if (known && !known.racy) await this.#emitKnown(file, known, workload);
      else await this.#tasks.push({ file, known });
    }
  }

  async #prepareAll(workload: OpenWorkload, journal: Journal): Promise<void> {
    for (;;) {
      const task = await this.#tasks.shift();
      if (!task || this.#abort.signal.aborted) return;
      await this.#prepare(task, workload, journal);
      while (this.#finishing.size >= workload.pending) await Promise.race(this.#finishing);
    }
  }

  async #prepare({ file, known }: Task, workload: OpenWorkload, journal: Journal): Promise<void> {
    const { memory } = this.#parts;
    let taken: Taken;
    try {
      taken = await takeIn(
        file,
        known?.racy ? known.sha256 : undefined,
        workload,
        memory,
        this.#abort.signal,
      );
    } catch (error) {
      return this.#emitFailure(file, error);
    }
    const finished = this.#finish(file, taken, known, workload, journal)
      .catch((error: unknown) => this.#stop(error))
      .finally(() => this.#finishing.delete(finished));
    this.#finishing.add(finished);
  }

  async #finish(
    file: FileEntry,
    { evidence, finish }: Taken,
    known: Known | undefined,
    workload: OpenWorkload,
    journal: Journal,
  ): Promise<void> {
    const seen = { ...file, ...evidence.stat };
    if (!finish && known) {
      await journal.confirm(evidence);
      return this.#emitKnown(seen, known, workload);
    }
    let outcome: Outcome;
    try {
      if (!finish) throw new TypeError('expected a finish for a file of which nothing is known');
      outcome = await finish();
    } catch (error) {
      return this.#emitFailure(seen, error, journal, evidence);
    }
    await journal.keep(evidence, outcome);
    await this.#emitOutcome(seen, { ...outcome, sha256: evidence.sha256 }, false, workload);
  }

  async #emitKnown(file: FileEntry, { value }: Known, workload: OpenWorkload): Promise<void> {
    if ('error' in value) await this.#emit(failureOf(file, value.error, true));
    else await this.#emitOutcome(file, value, true, workload);
  }

  async #emitOutcome(
    file: FileEntry,
    outcome: KeptOutcome,
    cached: boolean,
    workload: OpenWorkload,
  ): Promise<void> {
    workload.observe(file.path, outcome);
    await this.#emit(successOf(file, outcome, cached));
  }

  /** One bad file is a result like any other; what would fail every file ends the run. */
  async #emitFailure(file: FileEntry, error: unknown, journal?: Journal, evidence?: Evidence): Promise<void> {
    if (this.#abort.signal.aborted) return;
    const code = codeOf(error);
    if (code === undefined || FATAL.has(code)) return this.#stop(error);
    const failure = { code, message: messageOf(error) };
    if (evidence) await journal?.keepFailure(evidence, failure);
    await this.#emit(failureOf(file, failure, false));
  }

  async #emit(result: Result): Promise<void> {
    if (this.#abort.signal.aborted) return;
    this.#meter.count(result);
    await this.#results.push(result);
  }

  /** Ends the work in flight; the first reason counts. */
  #stop(reason: unknown): void {
    if (this.#abort.signal.aborted) return;
    this.#abort.abort(reason);
    this.#tasks.clear();
    this.#results.clear();
  }

  #currentStats(): RunStats {
    return {
      ...this.#meter.figures(),
      served: this.#workload?.served(),
      extra: this.#workload?.summary() ?? {},
    };
  }
}
