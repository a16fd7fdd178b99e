// The model of a stage, and the same graph on the CPU for when its device fails.
import type { BatchRunner } from '../batch/batch-runner.js';
import type { Batcher } from '../batch/batcher.js';
import type { Device } from '../contract/index.js';
import type { Model } from '../models/model.js';
import type { Parts, Served } from '../pipeline/workload.js';
import { codeOf, messageOf, SpillwayError } from '../util/errors.js';

const STANDBY: Device = 'cpu';

/** Owns the hold on `model` that it was made with, and that on the graph of the CPU. */
export class StageModel implements AsyncDisposable {
  readonly model: Model;
  /** What a batcher runs. */
  readonly runner: BatchRunner;
  /** Loads `source`, the graph of `model`, on the CPU; undefined where that is its device. */
  readonly fallback: (() => Promise<BatchRunner>) | undefined;
  #opening: Promise<Model> | undefined;

  constructor(
    { models }: Parts,
    model: Model,
    source: string,
    adapt: (model: Model) => BatchRunner = (whole) => whole,
  ) {
    this.model = model;
    this.runner = adapt(model);
    if (model.device !== STANDBY)
      this.fallback = async () => {
        // No room is reserved: those that hold it wait for this graph.
        this.#opening = models.acquire(source, { device: STANDBY });
        const standby = await this.#opening;
        if (standby.sha256 === model.sha256) return adapt(standby);
        standby[Symbol.dispose]();
        throw new SpillwayError('ERR_MODEL_REJECTED', `${source} changed since the run began`);
      };
  }

  served(batcher: Batcher | undefined): Served {
    const { engine, device } = this.model;
    const cause = batcher?.stats().fallbackCause;
    if (cause === undefined) return { engine: engine.name, device };
    const fallback = { device: STANDBY, code: codeOf(cause), message: messageOf(cause) };
    return { engine: engine.name, device, fallback };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.model[Symbol.dispose]();
    const standby = await this.#opening?.catch(() => undefined);
    standby?.[Symbol.dispose]();
  }
}
