// The stock JavaScript binding, onnxruntime-node, in a child process of ours.
//
// In this process it would block the event loop for the length of every run, and an exit in mid-run would abort
// the process. A child may be killed at any time, and its memory can be told apart.
import type { EvictedBytes, LoadPlan, Tensor } from '../../contract/index.js';
import { SpillwayError } from '../../util/errors.js';
import type { ChildLimits } from './child-limits.js';
import { StockChild } from './child-process.js';
import type { EngineChoice, EngineSession } from './engine.js';
import { onnxruntimePackage, onnxruntimeVersion } from './onnxruntime.js';
import type { Feed, LoadedGraph } from './protocol.js';

/** How long an abandoned run may keep the child busy before the child is killed. */
const STUCK_MS = 30_000;

/** Starts the child and returns the engine over it. Rejects with `ERR_MISSING_DEPENDENCY` or `ERR_ENGINE`. */
export async function openStockEngine(reason: string): Promise<EngineChoice> {
  onnxruntimePackage();
  let current = await StockChild.start();
  let starting: Promise<StockChild> | undefined;
  let peak = 0;
  let closed = false;

  /** The living child, started anew where the last one ended. One start at a time. */
  async function living(): Promise<StockChild> {
    if (closed) throw new SpillwayError('ERR_CLOSED', 'the engine has been closed');
    if (current.endReason === undefined) return current;
    peak = Math.max(peak, current.peakRssBytes());
    starting ??= StockChild.start().finally(() => {
      starting = undefined;
    });
    current = await starting;
    return current;
  }

  return {
    engine: {
      name: 'stock',
      version: current.version,
      load: async (model: Uint8Array, plan: LoadPlan) => {
        refuseNativeOnly(plan, reason);
        const home = await living();
        return new StockSession(home, (await home.ask({ kind: 'load', model, plan })) as LoadedGraph);
      },
      close: async () => {
        closed = true;
        current.kill('was closed');
      },
      childRssBytes: () => current.rssBytes(),
      peakChildRssBytes: () => Math.max(peak, current.peakRssBytes()),
    },
    reason,
  };
}

/**
 * The engine for graphs that are not trusted: each in a child of its own, held to `limits`, with nothing of this
 * process's environment but where libraries are. Throws `ERR_MISSING_DEPENDENCY`.
 */
export function openConfinedEngine(limits: ChildLimits): EngineChoice {
  const version = onnxruntimeVersion();
  const reason = 'the graph is not trusted: it runs in a process of its own, within limits';
  const children = new Set<StockChild>();
  let peak = 0;
  const sumOf = (bytes: (child: StockChild) => number) =>
    [...children].reduce((sum, child) => sum + bytes(child), 0);
  const notePeak = () => {
    peak = Math.max(
      peak,
      sumOf((child) => child.peakRssBytes()),
    );
    return peak;
  };
  const end = (child: StockChild, why: string) => {
    notePeak();
    children.delete(child);
    child.kill(why);
  };

  return {
    engine: {
      name: 'stock',
      version,
      load: async (model: Uint8Array, plan: LoadPlan) => {
        refuseNativeOnly(plan, reason);
        for (const child of children) if (child.endReason !== undefined) end(child, 'has ended');
        const child = await StockChild.start(limits);
        children.add(child);
        try {
          const graph = (await child.ask({ kind: 'load', model, plan })) as LoadedGraph;
          return new StockSession(child, graph, () => end(child, 'was released'));
        } catch (error) {
          end(child, 'could not load the graph');
          throw error;
        }
      },
      close: async () => {
        for (const child of children) end(child, 'was closed');
      },
      childRssBytes: () => sumOf((child) => child.rssBytes()),
      peakChildRssBytes: notePeak,
    },
    reason,
  };
}

/** The binding ignores what it does not know; here it is refused. */
function refuseNativeOnly(plan: LoadPlan, reason: string): void {
  const asked = {
    freeDimensions: plan.freeDimensions.length > 0,
    operatorLibraries: plan.operatorLibraries.length > 0,
    shareWeights: plan.sharedWeights !== undefined,
  };
  for (const [option, isAsked] of Object.entries(asked))
    if (isAsked)
      throw new SpillwayError(
        'ERR_NATIVE_UNAVAILABLE',
        `${option} needs the native engine, but the stock one serves: ${reason}`,
      );
}

/** A graph in the child. */
class StockSession implements EngineSession {
  readonly #child: StockChild;
  readonly #graph: LoadedGraph;
  readonly #onRelease: (() => void) | undefined;
  /** By number, what abandons each. */
  readonly #runs = new Map<number, () => void>();
  #released = false;
  #answers: Promise<unknown> = Promise.resolve();
  #holders = 1;
  evicted: EvictedBytes | undefined;

  /** `onRelease` ends a child that has no other graph; else the child is asked to release this one. */
  constructor(child: StockChild, graph: LoadedGraph, onRelease?: () => void) {
    this.#child = child;
    this.#graph = graph;
    this.#onRelease = onRelease;
  }

  get inputs() {
    return this.#graph.inputs;
  }

  get outputs() {
    return this.#graph.outputs;
  }

  get lost(): boolean {
    return this.evicted !== undefined || this.#child.endReason !== undefined;
  }

  bytes(): number {
    return this.#released ? 0 : this.#graph.bytes;
  }

  sharedBytes(): number {
    return 0;
  }

  hold(): boolean {
    if (this.#released || this.lost) return false;
    this.#holders++;
    return true;
  }

  /** The governor does not reach into the child: only {@link evict} is bound by it. */
  letGo(): void {
    if (this.#holders > 0) this.#holders--;
  }

  async evict(): Promise<EvictedBytes | undefined> {
    if (this.#released || this.lost || this.#holders > 0 || this.#runs.size > 0) return undefined;
    const residentBefore = this.#child.rssBytes();
    this.#released = true;
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
    this.#released = true;
    void this.#free();
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
