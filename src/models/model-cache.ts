// Loads each graph once, shares it, counts who holds it, and lets go of what nobody holds where room is short.
import { LRUCache } from 'lru-cache';
import { codeOf, messageOf, SpillwayError } from '../util/errors.js';
import { areUnchanged, type FileStamp } from './file-stamp.js';
import { keyOf, type LoadSettings } from './load-options.js';
import { Model } from './model.js';
import { ModelLoader } from './model-cache-loader.js';
import {
  type AcquireOptions,
  acquireOptions,
  type ModelCacheOptions,
  type ModelCachePlan,
  modelCachePlan,
  type PreloadOptions,
  type PreloadRequest,
  preloadOptions,
} from './model-cache-options.js';
import type { ModelCacheStats, Preloaded } from './model-cache-stats.js';
import { ModelEntry, ModelTable } from './model-cache-table.js';
import { fromBytes, fromFile, type ModelBytes } from './model-source.js';

/** A graph: the path of its file, or its bytes. */
export type ModelSource = string | Uint8Array;

/** Graphs whose measured bytes are remembered after they are gone. */
const REMEMBERED = 1000;

/**
 * A cache of loaded graphs. The same content is loaded once, however often and from wherever it is acquired; the
 * loads of one graph are one, and on each device one load goes on at a time. A graph that nobody holds stays loaded
 * until its time to live is over, a load needs its room, or memory is short; who acquires it then has it loaded again.
 * It owns what it loaded: close it when done.
 */
export class ModelCache {
  readonly #plan: ModelCachePlan;
  readonly #table: ModelTable;
  readonly #loader: ModelLoader;
  readonly #reading = new Map<string, Promise<ModelBytes>>();
  readonly #known = new Map<string, { stamps: readonly FileStamp[]; key: string }>();
  /** By key: what a graph measured at its last load, and whether it could stay. */
  readonly #measured = new LRUCache<string, { bytes: number; loaded: boolean }>({ max: REMEMBERED });
  readonly #forgetSpills: (() => void) | undefined;
  #loads = 0;
  #hits = 0;
  #reloads = 0;
  #closed = false;

  /** Throws `ERR_INVALID_ARGUMENT`. Neither library nor driver is touched before the first acquisition. */
  constructor(options?: ModelCacheOptions) {
    this.#plan = modelCachePlan(options);
    this.#table = new ModelTable(this.#plan.ttlMs);
    this.#loader = new ModelLoader(this.#plan, this.#table);
    // The governor reaches what the addon loaded by itself; a child process only gives back what it is asked to.
    this.#forgetSpills = this.#plan.memory?.onSpill((bytes) => void this.#table.evict(bytes));
  }

  /**
   * Loads a graph, or shares the one that is loaded. Dispose of the result when done.
   *
   * A graph is vetted first: it must be sound, use operators of known domains only, and keep its data in other files
   * below its own folder. Bytes must not change until the promise settles. The same graph with other options is another
   * session of it.
   *
   * Rejects with `ERR_MODEL_REJECTED` where it is not, or is no graph this ONNX Runtime can load,
   * `ERR_BUDGET_EXCEEDED` and `ERR_OUT_OF_MEMORY` where the budget, or `maxBytes`, has no room for it, ever or now,
   * `ERR_TOO_LARGE` beyond the 2 GiB of protobuf, `ERR_DEVICE_UNAVAILABLE` where the device asked for cannot run it,
   * `ERR_FILE_CHANGED` where it changes while it is read, `ERR_MISSING_DEPENDENCY` without onnxruntime-node,
   * `ERR_NATIVE_UNAVAILABLE` for options that only the native engine has, `ERR_INVALID_ARGUMENT` for options that do not
   * fit the graph, `ERR_CLOSED` after close; and with the system's own code where the file cannot be read.
   */
  async acquire(source: ModelSource, options: AcquireOptions = {}): Promise<Model> {
    return (await this.#acquire(source, options)).model;
  }

  /**
   * Loads graphs ahead of their use, one after another, primary ones first, and says what each cost, in the order
   * given. Primary models are pinned; secondary ones stay loaded as long as there is room, and one that cannot be had
   * is reported as skipped. Rejects as {@link acquire} does where a primary one cannot be had.
   */
  async preload(models: readonly PreloadRequest[], options?: PreloadOptions): Promise<Preloaded[]> {
    const { models: wanted, skipSecondary } = preloadOptions(models, options);
    this.#assertOpen();
    const report = new Map<PreloadRequest, Preloaded>();
    for (const request of wanted)
      if (request.role === 'primary') report.set(request, await this.#preload(request));
    for (const request of wanted)
      if (request.role === 'secondary')
        report.set(
          request,
          skipSecondary
            ? { ...request, outcome: 'skipped', code: undefined, reason: 'not asked for', ms: 0 }
            : await this.#preloadIfPossible(request),
        );
    return wanted.flatMap((request) => report.get(request) ?? []);
  }

  stats(): ModelCacheStats {
    const models = this.#table.rows();
    const { engines } = this.#loader;
    const { engine, reason = '' } = engines.trusted ?? {};
    return {
      loads: this.#loads,
      hits: this.#hits,
      reloads: this.#reloads,
      ...this.#table.evicted,
      bytes: models.reduce((sum, { bytes }) => sum + bytes, 0),
      maxBytes: this.#plan.maxBytes,
      models,
      engine: engine && { name: engine.name, version: engine.version, reason },
      disk: this.#loader.tier?.stats(),
      childRssBytes: engines.childRssBytes(),
      peakChildRssBytes: engines.peakChildRssBytes(),
    };
  }

  /**
   * Evicts graphs that nobody holds and that are not pinned, the least recently used first, until `bytes` came back, all
   * of them unless told; resolves with the bytes that did.
   */
  evict(bytes = Number.POSITIVE_INFINITY): Promise<number> {
    return this.#table.evict(bytes);
  }

  /** Releases the graphs that nobody holds, pinned ones too; those that are held lose their pin. */
  clear(): void {
    this.#table.clear();
  }

  /** Releases every graph, once its runs in flight have ended, and ends the engine. Harmless when repeated. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#forgetSpills?.();
    const entries = this.#table.drain();
    await Promise.allSettled(entries.map(async ({ loading }) => (await loading).session.release()));
    await this.#loader.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #acquire(source: ModelSource, options: AcquireOptions): Promise<{ model: Model; shared: boolean }> {
    this.#assertOpen();
    const { pin, settings } = acquireOptions(this.#plan, options);
    const loadedKey = typeof source === 'string' ? await this.#keyIfUnchanged(source, settings) : undefined;
    const known = loadedKey === undefined ? undefined : this.#take(loadedKey);
    const again = typeof source === 'string' ? () => this.acquire(source, options) : undefined;
    if (known) return { model: await this.#hold(known, pin, again), shared: true };
    const bytes =
      typeof source === 'string'
        ? await this.#read(source, settings)
        : await fromBytes(source, this.#plan.operatorDomains);
    if (this.#closed) bytes[Symbol.dispose]();
    this.#assertOpen();
    const there = this.#take(keyOf(bytes.key, settings));
    if (!there) return { model: await this.#hold(this.#start(bytes, settings), pin, again), shared: false };
    if (there.source !== bytes) bytes[Symbol.dispose](); // another load of the same content serves
    return { model: await this.#hold(there, pin, again), shared: true };
  }

  async #preload({ path, role }: PreloadRequest): Promise<Preloaded> {
    const start = performance.now();
    const { model, shared } = await this.#acquire(path, { pin: role === 'primary' });
    using held = model;
    const { sha256, device, bytes } = held;
    const outcome = shared ? 'shared' : 'loaded';
    return { path, role, outcome, sha256, device, bytes, ms: performance.now() - start };
  }

  async #preloadIfPossible(request: PreloadRequest): Promise<Preloaded> {
    const start = performance.now();
    try {
      return await this.#preload(request);
    } catch (error) {
      this.#assertOpen();
      const ms = performance.now() - start;
      return { ...request, outcome: 'skipped', code: codeOf(error), reason: messageOf(error), ms };
    }
  }

  /** The entry of a graph that is loaded or on its way, with one reference more. */
  #take(key: string): ModelEntry | undefined {
    const entry = this.#table.get(key);
    if (!entry || !this.#table.take(entry)) return undefined;
    this.#hits++;
    return entry;
  }

  /** Begins to load a graph; the entry has its first reference. */
  #start(source: ModelBytes, settings: LoadSettings): ModelEntry {
    const key = keyOf(source.key, settings);
    const expected = this.#measured.get(key)?.bytes ?? source.bytes.length;
    const entry = new ModelEntry({ key, source, expected }, (self) =>
      this.#loader.load(self, source, settings),
    );
    this.#table.add(entry);
    this.#table.take(entry);
    entry.loading.then(
      (loaded) => {
        entry.loaded = loaded;
        entry.source = undefined;
        this.#loads++;
        if (this.#measured.get(key)?.loaded) this.#reloads++;
        this.#measured.set(key, { bytes: entry.bytes, loaded: true });
      },
      () => {
        this.#table.remove(entry);
        if (entry.measured !== undefined) this.#measured.set(key, { bytes: entry.measured, loaded: false });
      },
    );
    return entry;
  }

  /** The model of an entry that was taken; gives it back where the load fails. */
  async #hold(entry: ModelEntry, pin: boolean, again: (() => Promise<Model>) | undefined): Promise<Model> {
    try {
      const loaded = await entry.loading;
      entry.pinned ||= pin;
      return new Model(loaded, () => this.#table.giveBack(entry), again);
    } catch (error) {
      this.#table.giveBack(entry);
      throw error;
    }
  }

  /** A load disposes of what was read for it, so that only those of one session have that together. */
  async #read(file: string, settings: LoadSettings): Promise<ModelBytes> {
    const wanted = keyOf(file, settings);
    let reading = this.#reading.get(wanted);
    if (!reading) {
      reading = fromFile(file, this.#plan.operatorDomains).finally(() => this.#reading.delete(wanted));
      this.#reading.set(wanted, reading);
    }
    const { key, stamps } = await reading;
    if (stamps === undefined) this.#known.delete(file);
    else this.#known.set(file, { stamps, key });
    return reading;
  }

  /** The key of a file read before, if all that was read is still the same by its stamps and still loaded. */
  async #keyIfUnchanged(file: string, settings: LoadSettings): Promise<string | undefined> {
    const known = this.#known.get(file);
    if (!known) return undefined;
    const key = keyOf(known.key, settings);
    if (!this.#table.get(key)) return undefined;
    return (await areUnchanged(known.stamps)) ? key : undefined;
  }

  #assertOpen(): void {
    if (this.#closed) throw new SpillwayError('ERR_CLOSED', 'the model cache has been closed');
  }
}
