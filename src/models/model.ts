// A loaded graph as its users hold it.
import type { Device, Tensor, ValueInfo } from '../contract/index.js';
import { codeOf, invalidArgument, messageOf, SpillwayError } from '../util/errors.js';
import { type RejectedDevice, recovers } from './detect.js';
import { deviceFailure } from './device-failure.js';
import type { EngineChoice, EngineSession } from './engine/engine.js';
import { forgetTrial } from './probe-device.js';
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
  #loaded: LoadedModel;
  #drop: (() => void) | undefined;
  readonly #again: (() => Promise<Model>) | undefined;
  readonly #recovers: boolean;
  #renewing: Promise<void> | undefined;

  /**
   * Called by the cache; `drop` gives the hold back, `again` acquires the same source anew: left out where that is gone.
   */
  constructor(loaded: LoadedModel, drop: () => void, again?: () => Promise<Model>) {
    this.#loaded = loaded;
    this.#drop = drop;
    this.#again = again;
    this.#recovers = recovers(loaded.device);
    if (loaded.session.runRows)
      this.runRows = (feeds, rows, options = {}) => this.#runRows(feeds, rows, options);
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
   *
   * A WebGPU device that was lost or had no memory begins anew: the next run loads a graph that came from a file again,
   * and rejects with `ERR_FILE_CHANGED` where that is another one now; of one that came as bytes it rejects with
   * `ERR_DEVICE_LOST`, and a new acquisition serves.
   */
  async run(
    feeds: Readonly<Record<string, Tensor>>,
    options: RunOptions = {},
  ): Promise<Record<string, Tensor>> {
    const { names, tensors } = await this.#run(feeds, options, (session, ...plan) => session.run(...plan));
    return named(names, tensors, 0);
  }

  async #runRows(
    feeds: Readonly<Record<string, Tensor>>,
    rows: number,
    options: RunOptions,
  ): Promise<Record<string, Tensor>[]> {
    type Rows = Required<EngineSession>;
    const { names, tensors } = await this.#run(feeds, options, (session, runId, pairs, wanted, priority) =>
      (session as Rows).runRows(runId, pairs, wanted, rows, priority),
    );
    return Array.from({ length: rows }, (_, row) => named(names, tensors, row * names.length));
  }

  async #run(
    feeds: Readonly<Record<string, Tensor>>,
    { signal, outputs, priority = 0, timed }: RunOptions,
    start: (
      session: EngineSession,
      ...plan: Parameters<EngineSession['run']>
    ) => ReturnType<EngineSession['run']>,
  ): Promise<{ names: readonly string[]; tensors: readonly Tensor[] }> {
    if (!this.#drop) throw new SpillwayError('ERR_CLOSED', 'the model has been disposed of');
    signal?.throwIfAborted();
    if (this.#recovers && this.#loaded.session.lost) {
      await this.#renew();
      signal?.throwIfAborted();
    }
    const { session } = this.#loaded;
    const pairs = checkFeeds(this.#loaded.inputs, feeds);
    const names = checkOutputs(this.outputNames, outputs);
    if (!Number.isFinite(priority)) throw invalidArgument('priority', 'a finite number', priority);
    const runId = ++lastRun;
    const abort = () => session.cancel(runId);
    signal?.addEventListener('abort', abort, { once: true });
    try {
      const tensors = await start(session, runId, pairs, names, priority);
      if (tensors.ms !== undefined) timed?.(tensors.ms);
      return { names, tensors };
    } catch (error) {
      throw signal?.aborted ? signal.reason : this.#judge(error, session);
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  /** What a run failed for; where that was its device, all sessions on it end, if that is what it takes to recover. */
  #judge(error: unknown, session: EngineSession): unknown {
    const failure = deviceFailure(error, this.device);
    if (failure === error || !this.#recovers) return failure;
    if (codeOf(failure) === 'ERR_DEVICE_LOST') forgetTrial(this.device);
    if (!session.lost) session.releaseDevice();
    return failure;
  }

  /** Loads the graph again, for all runs that wait for it. */
  #renew(): Promise<void> {
    this.#renewing ??= this.#loadAgain().finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  async #loadAgain(): Promise<void> {
    const { device, sha256 } = this.#loaded;
    const lost = (why: string, cause?: unknown) =>
      new SpillwayError('ERR_DEVICE_LOST', `${device} failed, and ${why}`, { cause });
    if (!this.#again) throw lost('the graph, which came as bytes, has to be acquired again');
    const next = await this.#again().catch((cause: unknown) => {
      if (codeOf(cause) !== 'ERR_DEVICE_UNAVAILABLE') throw cause;
      forgetTrial(device);
      throw lost(messageOf(cause), cause);
    });
    const here = this.#drop !== undefined;
    if (!here || next.device !== device || next.sha256 !== sha256) next[Symbol.dispose]();
    if (!here) throw new SpillwayError('ERR_CLOSED', 'the model has been disposed of');
    if (next.device !== device) throw lost(`the graph is on ${next.device} now`);
    if (next.sha256 !== sha256)
      throw new SpillwayError(
        'ERR_FILE_CHANGED',
        `expected the graph ${sha256} but its file has ${next.sha256}`,
      );
    this[Symbol.dispose]();
    this.#loaded = next.#loaded;
    this.#drop = next.#drop;
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
