// What runs graphs: ONNX Runtime driven by the addon, or the stock JavaScript binding in a child process.
import type { InferSession, LoadPlan } from '../../contract/index.js';

/** A loaded graph and whether it can still be used. */
export interface EngineSession extends Omit<InferSession, 'runRows'> {
  /** Only where outputs are not whole before they come to this process. */
  readonly runRows?: InferSession['runRows'];
  /** True once it was evicted or released, or the process that held it is gone; it must be loaded again. */
  readonly lost: boolean;
}

/** Loads graphs. Every session it made must be released, or the engine closed. */
export interface Engine {
  readonly name: 'native' | 'stock';
  /** ONNX Runtime's own version. */
  readonly version: string;
  /** The same contract as {@link Inference.load}, errors included. */
  load(model: Uint8Array, plan: LoadPlan): Promise<EngineSession>;
  /** Ends what the engine started; sessions that are left are lost. Harmless when repeated. */
  close(): Promise<void>;
  /** Resident bytes of the engine's child process now; 0 where it has none. */
  childRssBytes(): number;
  /** The most resident bytes the engine's child processes had; 0 where it has none. */
  peakChildRssBytes(): number;
}

/** An engine and why it was chosen. */
export interface EngineChoice {
  readonly engine: Engine;
  readonly reason: string;
}
