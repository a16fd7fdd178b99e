// Opens the parts under one budget and runs workloads over files.
import * as v from 'valibot';
import { nvmlSensor } from './batch/nvml-sensor.js';
import { sysfsSensor } from './batch/sysfs-sensor.js';
import { ThermalManager } from './batch/thermal.js';
import type { ThermalOptions } from './batch/thermal-options.js';
import { MemoryManager } from './memory/manager.js';
import type { MemoryPreset } from './memory/presets.js';
import { ModelCache } from './models/model-cache.js';
import { native } from './native/load.js';
import { LeakDetector } from './observe/leak.js';
import { Run } from './pipeline/run.js';
import type { Workload } from './pipeline/workload.js';
import { ResultStore } from './results/result-store.js';
import type { ScanBatch } from './scan/batch.js';
import { SpillwayError } from './util/errors.js';
import { parseOptions, signalSchema } from './util/options.js';

export interface SpillwayOptions {
  /** Bytes or `'512MB'`: bounds the resident memory; `'75%'`, the default: that share of the limit that binds. */
  readonly budget?: number | string;
  /** The budget of a kind of machine; an explicit `budget` wins. */
  readonly preset?: MemoryPreset;
  /** Where results are kept, and optimised graphs of models; without it nothing is remembered. */
  readonly cacheDir?: string;
  /** `'auto'` unless told: cuda, then webgpu, then cpu, whichever works. */
  readonly device?: 'auto' | 'cpu' | 'cuda' | 'webgpu';
  /**
   * What slows and pauses runs while the machine is too hot. Unless told one of its own, whose sensors are the
   * processors' and, but for the device `'cpu'`, those of the GPUs; `false` for none. A manager that is given is
   * started, and stopped by its owner alone. To look costs 5 µs of CPU a second where nothing measures heat, and 1 ms
   * where the kernel shows twenty temperatures.
   */
  readonly thermal?: ThermalManager | ThermalOptions | false;
}

export interface RunOptions {
  readonly signal?: AbortSignal;
  /** Files read and decoded at once; the cores this process may use unless told. */
  readonly workers?: number;
}

const optionsSchema = v.strictObject({
  budget: v.optional(v.union([v.number(), v.string()])),
  preset: v.optional(v.picklist(['forensic', 'container', 'desktop'])),
  cacheDir: v.optional(v.pipe(v.string(), v.nonEmpty())),
  device: v.optional(v.picklist(['auto', 'cpu', 'cuda', 'webgpu']), 'auto'),
  thermal: v.optional(
    v.custom<ThermalManager | ThermalOptions | false>(
      (value) => value === false || (typeof value === 'object' && value !== null),
      'false, a ThermalManager, or its options',
    ),
    {},
  ),
});

const runSchema = v.strictObject({
  signal: signalSchema,
  workers: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1024))),
});

/** The whole under one budget. Disposable: `await using spillway = await Spillway.open({ … })`. */
export class Spillway implements AsyncDisposable {
  readonly memory: MemoryManager;
  readonly models: ModelCache;
  /** The result store, if there is a cache folder. */
  readonly store: ResultStore | undefined;
  /** What watches the heat, unless that was not wanted. */
  readonly thermal: ThermalManager | undefined;
  readonly #ownThermal: boolean;
  readonly #runs = new Set<Run>();

  private constructor(
    memory: MemoryManager,
    models: ModelCache,
    store: ResultStore | undefined,
    thermal: { readonly manager: ThermalManager | undefined; readonly own: boolean },
  ) {
    this.memory = memory;
    this.models = models;
    this.store = store;
    this.thermal = thermal.manager;
    this.#ownThermal = thermal.own;
    this.thermal?.start();
  }

  static async open(options: SpillwayOptions = {}): Promise<Spillway> {
    const { budget, preset, cacheDir, device, ...given } = parseOptions(optionsSchema, options, 'options');
    const thermal = thermalOf(given.thermal, device);
    const memory = new MemoryManager({ budget, preset });
    let store: ResultStore | undefined;
    try {
      store = cacheDir === undefined ? undefined : await ResultStore.open({ dir: cacheDir });
      const models = new ModelCache({ memory, device, disk: store?.cache });
      return new Spillway(memory, models, store, thermal);
    } catch (error) {
      await store?.close();
      memory[Symbol.dispose]();
      throw error;
    }
  }

  /** Starts a run; iterate it to get the results. `source` is what `scan` returns, with `stat: true`. */
  run(source: AsyncIterable<ScanBatch>, workload: Workload, options: RunOptions = {}): Run {
    const { signal, workers = native().cores() } = parseOptions(runSchema, options, 'options');
    const run = new Run({
      source,
      open: (inner) =>
        workload.open({ memory: this.memory, models: this.models, thermal: this.thermal }, inner),
      store: this.store,
      memory: this.memory,
      thermal: this.thermal,
      workers,
      leaks: new LeakDetector(),
      childPeakRssBytes: () => this.models.stats().peakChildRssBytes,
      signal,
    });
    this.#runs.add(run);
    run.ended.finally(() => this.#runs.delete(run));
    return run;
  }

  /** Commits what is queued, unloads the models and gives the budget back. Harmless when repeated. */
  async close(): Promise<void> {
    for (const run of this.#runs) run.abort(new SpillwayError('ERR_CLOSED', 'spillway was closed'));
    await Promise.all([...this.#runs].map((run) => run.ended));
    if (this.#ownThermal) this.thermal?.stop();
    await this.models.close(); // before the store, which its optimised graphs go to
    await this.store?.close();
    this.memory[Symbol.dispose]();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** On the CPU no GPU is asked for: that would open its driver. */
function thermalOf(given: ThermalManager | ThermalOptions | false, device: string) {
  if (given === false) return { manager: undefined, own: false };
  if (given instanceof ThermalManager) return { manager: given, own: false };
  const sensors = device === 'cpu' ? [sysfsSensor()] : [sysfsSensor(), nvmlSensor()];
  return { manager: new ThermalManager({ sensors, ...given }), own: true };
}
