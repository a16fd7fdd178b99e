// Loads graphs for a cache within its bounds: makes room before, measures after, gives way where memory is short.
import type { DiskCache } from '../cache/disk-cache.js';
import type { LoadPlan } from '../contract/index.js';
import { native } from '../native/load.js';
import { codeOf, SpillwayError } from '../util/errors.js';
import { formatSize } from '../util/sizes.js';
import { deviceCandidates } from './detect.js';
import { deviceFailure } from './device-failure.js';
import type { DiskTier } from './disk-tier/disk-tier.js';
import type { EngineSession } from './engine/engine.js';
import { Engines } from './engine/engines.js';
import { loadOnFirst } from './load-on-first.js';
import type { LoadSettings } from './load-options.js';
import { loadPlans } from './load-plan.js';
import type { LoadedModel } from './model.js';
import type { ModelCachePlan } from './model-cache-options.js';
import type { ModelEntry, ModelTable } from './model-cache-table.js';
import type { ModelBytes } from './model-source.js';
import { checkDevice } from './probe-device.js';

/**
 * Bytes that a loaded graph keeps, from which on it may be worth its place on a disk: some 170 nodes without weights,
 * which ONNX Runtime optimises in about 10 ms. A look-up, with what is read and checked, takes 2 to 4.
 */
const LEAST_ON_DISK = 1e6;

export class ModelLoader {
  readonly engines: Engines;
  /** Undefined where no store was given, and until its code is loaded. */
  tier: DiskTier | undefined;
  readonly #opening: Promise<void> | undefined;
  readonly #plan: ModelCachePlan;
  readonly #table: ModelTable;

  constructor(plan: ModelCachePlan, table: ModelTable) {
    this.engines = new Engines(plan.engine);
    this.#plan = plan;
    this.#table = table;
    this.#opening = plan.disk && this.#openTier(plan.disk);
  }

  /** Loads the graph of an entry and measures it. The source is disposed of. */
  async load(entry: ModelEntry, source: ModelBytes, settings: LoadSettings): Promise<LoadedModel> {
    using model = source; // the session has its own copy once it is loaded
    const choice = await this.engines.open(settings.limits);
    const { engine } = choice;
    await this.#opening;
    const tier = isForDisk(model, settings) ? this.tier : undefined;
    const { candidates, rejected } = deviceCandidates(settings.device);
    const planFor = await loadPlans(model, settings);
    const passedOver = [...rejected];
    return await loadOnFirst(candidates, passedOver, async (device) => {
      await checkDevice(device, settings.device === device);
      const plan = planFor(device);
      const expected = expectedBytes(entry, plan);
      const session = await this.#loadWithin(entry, expected, async () => {
        try {
          return await (tier?.load({ engine, model, plan }) ?? engine.load(model.bytes, plan));
        } catch (error) {
          throw deviceFailure(error, device);
        }
      });
      const concurrency = engine.name === 'native' ? plan.concurrency : undefined;
      const { inputs, outputs } = session;
      return {
        sha256: model.sha256,
        device,
        rejected: passedOver,
        choice,
        session,
        concurrency,
        inputs,
        outputs,
      };
    });
  }

  /** Waits for what is being stored, then ends the engines. Harmless when repeated. */
  async close(): Promise<void> {
    await this.#opening;
    await this.tier?.close();
    await this.engines.close();
  }

  /** Most jobs in little memory have no store. */
  async #openTier(disk: DiskCache): Promise<void> {
    const { DiskTier } = await import('./disk-tier/disk-tier.js');
    this.tier = new DiskTier(disk, this.#plan.operatorDomains);
  }

  async #loadWithin(
    entry: ModelEntry,
    expected: number,
    load: () => Promise<EngineSession>,
  ): Promise<EngineSession> {
    await this.#makeRoom(entry, expected);
    entry.bytes = expected;
    let session: EngineSession | undefined;
    try {
      session = await this.#loadRelieved(Math.max(expected, entry.expected), load);
      const bytes = session.bytes();
      // Shared weights are counted with another session once this one has gone.
      entry.measured = entry.bytes = bytes - session.sharedBytes();
      await this.#makeRoom(entry, bytes);
      return session;
    } catch (error) {
      session?.release();
      entry.bytes = 0;
      throw error;
    }
  }

  /** Where the budget of the process refuses, caches and idle graphs give way, of any cache in it. */
  async #loadRelieved(bytes: number, load: () => Promise<EngineSession>): Promise<EngineSession> {
    for (;;) {
      try {
        return await load();
      } catch (error) {
        if (codeOf(error) !== 'ERR_OUT_OF_MEMORY') throw error;
        if (native().governor.reclaim(bytes) === 0 && !(await this.#table.evictOldest())) throw error;
      }
    }
  }

  /** Evicts idle graphs until this one fits with `bytes`. */
  async #makeRoom(entry: ModelEntry, bytes: number): Promise<void> {
    const { maxBytes } = this.#plan;
    if (bytes > maxBytes)
      throw new SpillwayError(
        'ERR_BUDGET_EXCEEDED',
        `expected a model within maxBytes, ${formatSize(maxBytes)}, but it takes ${formatSize(bytes)}`,
      );
    for (;;) {
      const others = this.#table.bytes - entry.bytes;
      if (others + bytes <= maxBytes) return;
      if (await this.#table.evictOldest()) continue;
      throw new SpillwayError(
        'ERR_OUT_OF_MEMORY',
        `expected room for ${formatSize(bytes)} within maxBytes, ${formatSize(maxBytes)}, but models in use hold ${formatSize(others)}`,
      );
    }
  }
}

/** Of weights that are shared, whoever comes first learns once it is loaded; the others need no room for them. */
function expectedBytes({ expected }: ModelEntry, plan: LoadPlan): number {
  const own = plan.weightBytes + plan.structureBytes;
  return plan.sharedWeights?.tensors.length ? own : Math.max(expected, own);
}

/**
 * What comes of a graph that is not trusted stays within its own process; shared weights are those of the graph as it
 * was given; and a small one loads faster than it is looked up.
 */
function isForDisk({ kept }: ModelBytes, { limits, shareWeights }: LoadSettings): boolean {
  return !limits && !shareWeights && kept.cpu + kept.structure >= LEAST_ON_DISK;
}
