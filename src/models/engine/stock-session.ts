// A graph that the stock engine's child process has loaded, as this process uses it.
import type { Device, EvictedBytes, Tensor } from '../../contract/index.js';
import { SpillwayError } from '../../util/errors.js';
import type { StockChild } from './child-process.js';
import type { EngineSession } from './engine.js';
import type { Feed, LoadedGraph } from './protocol.js';

/** How long an abandoned run may keep the child busy before the child is killed. */
const STUCK_MS = 30_000;

/** A graph in a child process. */
export class StockSession implements EngineSession {
  readonly #child: StockChild;
  readonly #graph: LoadedGraph;
  readonly #device: Device;
  readonly #all: Set<StockSession>;
  readonly #onRelease: (() => void) | undefined;
  /** By number, what abandons each. */
  readonly #runs = new Map<number, () => void>();
  #released = false;
  #answers: Promise<unknown> = Promise.resolve();
  #holders = 1;
  evicted: EvictedBytes | undefined;

  /**
   * `all` are the sessions that are not released, of this child and others. `onRelease` ends a child that has no other
   * graph; else the child is asked to release this one.
   */
  constructor(
    child: StockChild,
    graph: LoadedGraph,
    device: Device,
    all: Set<StockSession>,
    onRelease?: () => void,
  ) {
    this.#child = child;
    this.#graph = graph;
    this.#device = device;
    this.#all = all.add(this);
    this.#onRelease = onRelease;
  }

  get inputs() {
    return this.#graph.inputs;
  }

  get outputs() {
    return this.#graph.outputs;
  }

  get lost(): boolean {
    return this.#released || this.#child.endReason !== undefined;
  }

  get released(): boolean {
    return this.#released;
  }

  bytes(): number {
    return this.#released ? 0 : this.#graph.bytes;
  }

  sharedBytes(): number {
    return 0;
  }

  hold(): boolean {
    if (this.lost) return false;
    this.#holders++;
    return true;
  }

  /** The governor does not reach into the child: only {@link evict} is bound by it. */
  letGo(): void {
    if (this.#holders > 0) this.#holders--;
  }

  async evict(): Promise<EvictedBytes | undefined> {
    if (this.lost || this.#holders > 0 || this.#runs.size > 0) return undefined;
    const residentBefore = this.#child.rssBytes();
    this.#close();
    this.evicted = { bytes: this.#graph.bytes, residentBytes: 0 };
    await this.#free();
    const residentBytes = Math.max(0, residentBefore - this.#child.rssBytes());
    this.evicted = { bytes: this.#graph.bytes, residentBytes };
    return this.evicted;
  }

  async run(
    runId: number,
    feeds: readonly Feed[],
    outputs: readonly string[],
    priority = 0,
  ): Promise<Tensor[]> {
    if (this.#released) throw new SpillwayError('ERR_CLOSED', 'the session has been released');
    const { done: answer, leave } = this.#child.runs.run(priority, () =>
      this.#child.ask({ kind: 'run', session: this.#graph.session, feeds, outputs }),
    );
    const aborted = new Promise<never>((_, reject) => {
      this.#runs.set(runId, () => {
        leave();
        reject(new SpillwayError('ERR_ABORTED', 'the run was cancelled'));
      });
    });
    this.#answers = Promise.allSettled([this.#answers, answer]);
    try {
      return (await Promise.race([answer, aborted])) as Tensor[];
    } finally {
      this.#runs.delete(runId);
      this.#watch(answer);
    }
  }

  /** The stock binding cannot stop a run that has begun: its result is dropped when it comes. */
  cancel(runId: number): void {
    this.#runs.get(runId)?.();
  }

  async endProfile(): Promise<string> {
    if (this.#released) throw new SpillwayError('ERR_CLOSED', 'the session has been released');
    await this.#answers;
    return (await this.#child.ask({ kind: 'end-profile', session: this.#graph.session })) as string;
  }

  release(): void {
    if (this.#released) return;
    this.#close();
    void this.#free();
  }

  releaseDevice(): void {
    for (const session of this.#all)
      if (session.#child === this.#child && session.#device === this.#device) session.release();
  }

  #close(): void {
    this.#released = true;
    this.#all.delete(this);
  }

  async #free(): Promise<void> {
    await this.#answers; // runs that still wait on this side
    if (this.#onRelease) return this.#onRelease();
    const answer = this.#child.ask({ kind: 'release', session: this.#graph.session });
    await answer.catch(() => undefined); // a child that is gone holds nothing
  }

  /** Kills the child if a run nobody waits for any more never ends. */
  #watch(answer: Promise<unknown>): void {
    const timer = setTimeout(() => this.#child.kill('was stuck in a run that had been aborted'), STUCK_MS);
    timer.unref();
    const stop = () => clearTimeout(timer);
    answer.then(stop, stop);
  }
}
