// A loaded graph as its users hold it.
import type { Device, Tensor, ValueInfo } from '../contract/index.js';
import { invalidArgument, SpillwayError } from '../util/errors.js';
import type { RejectedDevice } from './detect.js';
import { deviceFailure } from './device-failure.js';
import type { EngineChoice, EngineSession } from './engine/engine.js';
import { checkFeeds, checkOutputs } from './tensors.js';

/** What a load made; shared by all who acquired the same graph. */
export interface LoadedModel {
  readonly sha256: string;
  readonly device: Device;
  /** Devices that were tried or looked at before this one, and why they do not serve. */
  readonly rejected: readonly RejectedDevice[];
  readonly choice: EngineChoice;
  readonly session: EngineSession;
  /** See {@link Model.concurrency}. */
  readonly concurrency: number | undefined;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
}

export interface RunOptions {
  /** Stops the run between two nodes of the graph; the promise rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
  /** Names of the outputs to compute and return; all unless told. */
  readonly outputs?: readonly string[] | undefined;
  /**
   * Where runs wait for the cores, more goes first, among those of all models of the process; 0 unless told. A second of
   * waiting counts for one step. Runs on a GPU wait for those of the same model only; the stock engine orders those of
   * its child process.
   */
  readonly priority?: number | undefined;
  /** Told of a run that succeeded how many milliseconds it took without its wait; not called where the engine cannot tell. */
  readonly timed?: ((ms: number) => void) | undefined;
}

// One series for all sessions: a session only asks that no two of its own runs in flight share a number.
let lastRun = 0;

/**
 * One hold on a loaded graph. Dispose it when done; the graph itself stays loaded until its cache lets go
 * of it.
 * Runs may overlap, also those of other holds.
 */
export class Model implements Disposable {
  /**
   * Like `run`, of a batch of `rows` items: the outputs of each item, copied once. Undefined where the engine has whole
   * outputs only. Rejects with `ERR_MODEL_REJECTED` where an output does not have so many rows.
   */
  readonly runRows:
    | ((
        feeds: Readonly<Record<string, Tensor>>,
        rows: number,
        options?: RunOptions,
      ) => Promise<Record<string, Tensor>[]>)
    | undefined;
  readonly #loaded: LoadedModel;
  #drop: (() => void) | undefined;

  /** Called by the cache; `drop` gives the hold back. */
  constructor(loaded: LoadedModel, drop: () => void) {
    this.#loaded = loaded;
    this.#drop = drop;
    const start = loaded.session.runRows?.bind(loaded.session);
    this.runRows = start && ((feeds, rows, options = {}) => this.#runRows(feeds, rows, options, start));
  }

  /** Hexadecimal digest of the graph's file. */
  get sha256(): string {
    return this.#loaded.sha256;
  }

  get device(): Device {
    return this.#loaded.device;
  }

  /** Devices that were passed over for this graph, and why. */
  get rejected(): readonly RejectedDevice[] {
    return this.#loaded.rejected;
  }

  /** What runs the graph, and why it was chosen. */
  get engine(): { readonly name: 'native' | 'stock'; readonly version: string; readonly reason: string } {
    const { engine, reason } = this.#loaded.choice;
    return { name: engine.name, version: engine.version, reason };
  }

  /** Runs of the graph that happen at a time, further ones wait their turn; undefined where the engine keeps no turns. */
  get concurrency(): number | undefined {
    return this.#loaded.concurrency;
  }

  get inputNames(): string[] {
    return this.#loaded.inputs.map(({ name }) => name);
  }

  get outputNames(): string[] {
    return this.#loaded.outputs.map(({ name }) => name);
  }

  get inputMetadata(): readonly ValueInfo[] {
    return this.#loaded.inputs;
  }

  get outputMetadata(): readonly ValueInfo[] {
    return this.#loaded.outputs;
  }

  /** Bytes the graph holds now, of all its holds together; runs in flight included. */
  get bytes(): number {
    return this.#loaded.session.bytes();
  }

  /**
   * Runs the graph off the JavaScript thread. The elements of `feeds` are read in place: neither change nor
   * transfer them until the promise settles. The outputs are the caller's.
   *
   * Rejects with `ERR_INVALID_ARGUMENT` for feeds that do not fit, `ERR_OUT_OF_MEMORY` where the budget has no room
   * for the run (a smaller batch may fit), `ERR_DEVICE_LOST` where its device is of no use any more, `ERR_ENGINE` where a
   * node fails, `ERR_CLOSED` after disposal.
   */
  async run(
    feeds: Readonly<Record<string, Tensor>>,
    options: RunOptions = {},
  ): Promise<Record<string, Tensor>> {
    const { session } = this.#loaded;
    const { names, tensors } = await this.#run(feeds, options, (...plan) => session.run(...plan));
    return named(names, tensors, 0);
  }

  async #runRows(
    feeds: Readonly<Record<string, Tensor>>,
    rows: number,
    options: RunOptions,
    start: NonNullable<EngineSession['runRows']>,
  ): Promise<Record<string, Tensor>[]> {
    const { names, tensors } = await this.#run(feeds, options, (runId, pairs, wanted, priority) =>
      start(runId, pairs, wanted, rows, priority),
    );
    return Array.from({ length: rows }, (_, row) => named(names, tensors, row * names.length));
  }

  async #run(
    feeds: Readonly<Record<string, Tensor>>,
    { signal, outputs, priority = 0, timed }: RunOptions,
    start: EngineSession['run'],
  ): Promise<{ names: readonly string[]; tensors: readonly Tensor[] }> {
    if (!this.#drop) throw new SpillwayError('ERR_CLOSED', 'the model has been disposed of');
    signal?.throwIfAborted();
    const { session } = this.#loaded;
    const pairs = checkFeeds(this.#loaded.inputs, feeds);
    const names = checkOutputs(this.outputNames, outputs);
    if (!Number.isFinite(priority)) throw invalidArgument('priority', 'a finite number', priority);
    const runId = ++lastRun;
    const abort = () => session.cancel(runId);
    signal?.addEventListener('abort', abort, { once: true });
    try {
      const tensors = await start(runId, pairs, names, priority);
      if (tensors.ms !== undefined) timed?.(tensors.ms);
      return { names, tensors };
    } catch (error) {
      throw signal?.aborted ? signal.reason : deviceFailure(error, this.device);
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  /**
   * Ends the profile of a graph that was acquired with `profileFolder`, once its runs in flight have ended, for all of
   * its holds, and resolves with the path of the file: JSON that chrome://tracing and Perfetto show. Once only:
   * rejects with `ERR_INVALID_ARGUMENT` where there is none, or none any more.
   */
  async endProfile(): Promise<string> {
    if (!this.#drop) throw new SpillwayError('ERR_CLOSED', 'the model has been disposed of');
    return this.#loaded.session.endProfile();
  }

  /** Gives the hold back. Runs in flight go on. Harmless when repeated. */
  [Symbol.dispose](): void {
    this.#drop?.();
    this.#drop = undefined;
  }
}

/** As many tensors as there are names, from the one at `from` on. */
function named(names: readonly string[], tensors: readonly Tensor[], from: number): Record<string, Tensor> {
  if (names.length === 1) return { [names[0] as string]: tensors[from] as Tensor };
  return Object.fromEntries(names.map((each, index) => [each, tensors[from + index] as Tensor]));
}
