// The way of a file: look up, read and prepare, wait for its batch, keep, emit.
import type { ThermalManager } from '../batch/thermal.js';
import type { MemoryManager } from '../memory/manager.js';
import type { StoredValue } from '../results/value.js';
import type { ScanBatch } from '../scan/batch.js';
import { Channel } from '../util/channel.js';
import { codeOf, messageOf, SpillwayError } from '../util/errors.js';
import { formatSize } from '../util/sizes.js';
import { Intake, type Taken } from './intake.js';
import type { Journal, Known } from './journal.js';
import { Pace } from './pace.js';
import { entryOf, failureOf, successOf } from './result.js';
import type { Evidence, FileEntry, KeptOutcome, OpenWorkload, Outcome, Result } from './workload.js';

/** What the files flow through. */
export interface FlowParts {
  readonly source: AsyncIterable<ScanBatch>;
  readonly workload: OpenWorkload;
  readonly journal: Journal;
  readonly memory: MemoryManager;
  readonly thermal: ThermalManager | undefined;
  /** Files decoded at once, at most. */
  readonly workers: number;
  readonly signal: AbortSignal;
  /** Takes a result; resolves when there is room for the next. */
  readonly emit: (result: Result) => Promise<void>;
  /** Ends the run with an error that is not one file's own. */
  readonly stop: (error: unknown) => void;
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

/** Files beyond the workers that are read and looked up meanwhile, so that no worker waits for a disk or for SQLite. */
const READ_AHEAD = 2;

/** So many files in a row that would fit the budget and do not fit now: nothing moves any more. */
const REFUSED_IN_A_ROW = 16;

/** Carries the files of one run from the source to `emit`. */
export class Flow {
  readonly #parts: FlowParts;
  readonly #tasks = new Channel<Task>(2 * LOOKUP);
  readonly #finishing = new Set<Promise<void>>();
  readonly #pace: Pace;
  readonly #intake: Intake;
  #ready: Promise<void> | undefined;
  /** Files refused for memory since one was not. */
  #refused = 0;

  constructor(parts: FlowParts) {
    this.#parts = parts;
    const { workload, memory, signal } = parts;
    this.#pace = new Pace(parts);
    this.#intake = new Intake(workload, memory, this.#pace, signal);
  }

  /** Resolves once every file of the source has come out, or soon after the signal aborts. */
  async run(): Promise<void> {
    const { signal, workers } = this.#parts;
    using _pace = this.#pace;
    const drop = () => this.#tasks.clear();
    signal.addEventListener('abort', drop, { once: true });
    const loops = Array.from({ length: workers + READ_AHEAD }, () => this.#prepareAll());
    const all = [this.#lookUpAll(), ...loops];
    await Promise.all(all.map((each) => each.catch(this.#parts.stop)));
    await Promise.all(this.#finishing);
    signal.removeEventListener('abort', drop);
    signal.throwIfAborted();
  }

  /** Walks the source: what is known goes straight out, the rest to the workers. */
  async #lookUpAll(): Promise<void> {
    try {
      // The next look-up is under way while the results of the last go out.
      let routed = Promise.resolve();
      for await (const batch of untilAborted(this.#parts.source, this.#parts.signal)) {
        const files = await this.#separate(batch);
        for (let at = 0; at < files.length; at += LOOKUP) {
          const some = files.slice(at, at + LOOKUP);
          const found = this.#parts.journal.lookUp(some);
          await Promise.all([routed, found]);
          routed = this.#route(some, await found);
        }
      }
      await routed;
    } finally {
      this.#tasks.close();
    }
  }

  /** The files of a batch; what could not be looked at is a result already. */
  async #separate(batch: ScanBatch): Promise<FileEntry[]> {
    const files: FileEntry[] = [];
    for (const file of batch) {
      if (!file.error) files.push(entryOf(file));
      else await this.#emit(failureOf({ path: file.path, pathBytes: file.pathBytes }, file.error, false));
    }
    return files;
  }

  async #route(files: readonly FileEntry[], found: readonly (Known | undefined)[]): Promise<void> {
    for (const [i, file] of files.entries()) {
      const known = found[i];
      if (known && !known.racy) await this.#emitKnown(file, known.value);
      else await this.#tasks.push({ file, known });
    }
  }

  async #prepareAll(): Promise<void> {
    const { workload, signal } = this.#parts;
    for (;;) {
      const task = await this.#tasks.shift();
      if (!task || signal.aborted) return;
      await this.#pace.ready();
      this.#ready ??= workload.ready?.() ?? Promise.resolve();
      await this.#ready;
      await this.#prepare(task);
      while (this.#finishing.size >= workload.pending) await Promise.race(this.#finishing);
    }
  }

  async #prepare({ file, known }: Task): Promise<void> {
    const { journal, stop } = this.#parts;
    let taken: Taken;
    try {
      const recall = (evidence: Evidence) => journal.recall(known, evidence);
      taken = await this.#intake.take(file, recall);
    } catch (error) {
      return this.#emitFailure(file, error);
    }
    const finished = this.#finish(file, taken)
      .catch(stop)
      .finally(() => this.#finishing.delete(finished));
    this.#finishing.add(finished);
  }

  async #finish(file: FileEntry, taken: Taken): Promise<void> {
    const { journal } = this.#parts;
    const { evidence } = taken;
    const seen = { ...file, ...evidence.stat };
    if ('known' in taken) return this.#emitKnown(seen, taken.known);
    let outcome: Outcome;
    try {
      outcome = await taken.finish();
    } catch (error) {
      return this.#emitFailure(seen, error, evidence);
    }
    await journal.keep(evidence, outcome);
    await this.#emitOutcome(seen, { ...outcome, sha256: evidence.sha256 }, false);
  }

  async #emitKnown(file: FileEntry, value: StoredValue): Promise<void> {
    if ('error' in value) await this.#emit(failureOf(file, value.error, true));
    else await this.#emitOutcome(file, value, true);
  }

  async #emitOutcome(file: FileEntry, outcome: KeptOutcome, cached: boolean): Promise<void> {
    if (!cached) this.#refused = 0;
    this.#parts.workload.observe(file.path, outcome);
    await this.#emit(successOf(file, outcome, cached));
  }

  /** One bad file is a result like any other; what would fail every file ends the run. */
  async #emitFailure(file: FileEntry, error: unknown, evidence?: Evidence): Promise<void> {
    const { signal, stop, journal } = this.#parts;
    if (signal.aborted) return;
    const code = codeOf(error);
    if (code === undefined || FATAL.has(code)) return stop(error);
    this.#judge(code);
    const failure = { code, message: messageOf(error) };
    if (evidence) await journal.keepFailure(evidence, failure);
    await this.#emit(failureOf(file, failure, false));
  }

  /** Memory that others took does not come back by waiting: the run ends, and what is stored is where it goes on. */
  #judge(code: string): void {
    const { memory, workload, stop } = this.#parts;
    this.#refused = code === 'ERR_BUDGET_EXCEEDED' ? this.#refused + 1 : 0;
    if (this.#refused < REFUSED_IN_A_ROW || memory.snapshot().level === 'NORMAL') return;
    const { unmanaged, budget } = memory.snapshot();
    stop(
      new SpillwayError(
        'ERR_OUT_OF_MEMORY',
        `${this.#refused} files in a row found no room: ${formatSize(unmanaged)} of the budget of ${formatSize(budget)} are used by what is not ours to free, and ${formatSize(workload.leastBytes)} are needed; run the same command again to go on`,
      ),
    );
  }

  async #emit(result: Result): Promise<void> {
    if (!this.#parts.signal.aborted) await this.#parts.emit(result);
  }
}

/** The items of a source; ends at once on abort, also while the source keeps us waiting. */
async function* untilAborted<T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]();
  let onAbort: () => void = () => undefined;
  const aborted = new Promise<undefined>((resolve) => {
    onAbort = () => resolve(undefined);
  });
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    while (!signal.aborted) {
      const step = await Promise.race([iterator.next(), aborted]);
      if (!step || step.done) return;
      yield step.value;
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    // Not awaited: a source that hangs would hang its return as well.
    iterator.return?.().catch(() => undefined);
  }
}
