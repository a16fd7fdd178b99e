// The stock JavaScript binding, onnxruntime-node, in a child process of ours.
//
// In this process it would block the event loop for the length of every run, and an exit in mid-run would abort
// the process. A child may be killed at any time, and its memory can be told apart.
import type { LoadPlan } from '../../contract/index.js';
import { SpillwayError } from '../../util/errors.js';
import type { ChildLimits } from './child-limits.js';
import { StockChild } from './child-process.js';
import type { EngineChoice } from './engine.js';
import { onnxruntimePackage, onnxruntimeVersion } from './onnxruntime.js';
import type { LoadedGraph } from './protocol.js';
import { StockSession } from './stock-session.js';

/** Starts the child and returns the engine over it. Rejects with `ERR_MISSING_DEPENDENCY` or `ERR_ENGINE`. */
export async function openStockEngine(reason: string): Promise<EngineChoice> {
  onnxruntimePackage();
  let current = await StockChild.start();
  let starting: Promise<StockChild> | undefined;
  const sessions = new Set<StockSession>();
  let peak = 0;
  let closed = false;

  /** The living child, started anew where the last one ended. One start at a time. */
  async function living(): Promise<StockChild> {
    if (closed) throw new SpillwayError('ERR_CLOSED', 'the engine has been closed');
    if (current.endReason === undefined) return current;
    peak = Math.max(peak, current.peakRssBytes());
    sessions.clear();
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
        const graph = (await home.ask({ kind: 'load', model, plan })) as LoadedGraph;
        return new StockSession(home, graph, plan.device, sessions);
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
          return new StockSession(child, graph, plan.device, new Set(), () => end(child, 'was released'));
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
