// Loads each graph once, shares it, and counts who holds it.
import * as v from 'valibot';
import type { Device } from '../contract/index.js';
import { SpillwayError } from '../util/errors.js';
import { parseOptions } from '../util/options.js';
import { deviceCandidates } from './detect.js';
import { Engines } from './engine/engines.js';
import { areUnchanged, type FileStamp } from './file-stamp.js';
import { loadOnFirst } from './load-on-first.js';
import { type LoadOptions, type LoadSettings, loadOptionEntries, loadSettings } from './load-options.js';
import { type LoadedModel, Model } from './model.js';
import { fromBytes, fromFile, type ModelBytes } from './model-source.js';

const optionsSchema = v.optional(
  v.strictObject({
    /** Where graphs run; `'auto'` tries cuda, webgpu and cpu, in this order. */
    device: v.optional(v.picklist(['auto', 'cuda', 'webgpu', 'cpu']), 'auto'),
    /** For all graphs that are acquired without options of their own. */
    ...loadOptionEntries,
    /** What runs graphs; `'auto'` is the addon, else onnxruntime-node in a child process. */
    engine: v.optional(v.picklist(['auto', 'native', 'stock']), 'auto'),
    /** Domains whose operators graphs may use, beside those that ONNX Runtime implements for inference. */
    operatorDomains: v.optional(v.array(v.string()), []),
  }),
  {},
);

export type ModelCacheOptions = v.InferInput<typeof optionsSchema>;

/** A graph: the path of its file, or its bytes. */
export type ModelSource = string | Uint8Array;

export interface ModelCacheStats {
  /** Graphs loaded so far, and acquisitions that found theirs loaded or on its way. */
  readonly loads: number;
  readonly hits: number;
  /** Bytes of all loaded graphs. */
  readonly bytes: number;
  readonly models: readonly {
    readonly sha256: string;
    readonly device: Device;
    readonly bytes: number;
    /** Holds not yet disposed of. */
    readonly references: number;
  }[];
  readonly engine: { readonly name: string; readonly version: string; readonly reason: string } | undefined;
  readonly childRssBytes: number;
  readonly peakChildRssBytes: number;
}

export interface Preloaded {
  readonly path: string;
  readonly role: string;
  readonly sha256: string;
  readonly device: Device;
  readonly bytes: number;
  readonly ms: number;
}

interface Entry {
  references: number;
  /** What it is loaded from, until it is. */
  source: ModelBytes | undefined;
  readonly loading: Promise<LoadedModel>;
  loaded: LoadedModel | undefined;
}

/**
 * A cache of loaded graphs. The same content is loaded once, however often and from wherever it is acquired; the
 * loads of one graph are one. It owns what it loaded: close it when done.
 */
export class ModelCache {
  readonly #options: v.InferOutput<typeof optionsSchema>;
  readonly #engines: Engines;
  readonly #entries = new Map<string, Entry>();
  readonly #reading = new Map<string, Promise<ModelBytes>>();
  readonly #known = new Map<string, { stamps: readonly FileStamp[]; key: string }>();
  #loads = 0;
  #hits = 0;
  #closed = false;

  /** Throws `ERR_INVALID_ARGUMENT`. Neither library nor driver is touched before the first acquisition. */
  constructor(options?: ModelCacheOptions) {
    this.#options = parseOptions(optionsSchema, options, 'ModelCache');
    this.#engines = new Engines(this.#options.engine);
  }

  /**
   * Loads a graph, or shares the one that is loaded. Dispose of the result when done.
   *
   * A graph is vetted first: it must be sound, use operators of known domains only, and keep its data in other files
   * below its own folder. Bytes must not change until the promise settles. The same graph with other options is another
   * session of it.
   *
   * Rejects with `ERR_MODEL_REJECTED` where it is not, or is no graph this ONNX Runtime can load,
   * `ERR_BUDGET_EXCEEDED` and `ERR_OUT_OF_MEMORY` where the budget has no room for it, ever or now, `ERR_TOO_LARGE`
   * beyond the 2 GiB of protobuf, `ERR_DEVICE_UNAVAILABLE` where the device asked for cannot run it,
   * `ERR_FILE_CHANGED` where it changes while it is read, `ERR_MISSING_DEPENDENCY` without onnxruntime-node,
   * `ERR_NATIVE_UNAVAILABLE` for options that only the native engine has, `ERR_INVALID_ARGUMENT` for options that do not
   * fit the graph, `ERR_CLOSED` after close; and with the system's own code where the file cannot be read.
   */
  async acquire(source: ModelSource, options?: LoadOptions): Promise<Model> {
    this.#assertOpen();
    const settings = loadSettings(this.#options, options);
    const loadedKey = typeof source === 'string' ? await this.#keyIfUnchanged(source, settings) : undefined;
    const known = loadedKey === undefined ? undefined : this.#live(loadedKey);
    if (known) return this.#hold(known);
    const model =
      typeof source === 'string'
        ? await this.#read(source)
        : await fromBytes(source, this.#options.operatorDomains);
    if (this.#closed) model[Symbol.dispose]();
    this.#assertOpen();
    const entry = this.#live(keyOf(model.key, settings)) ?? this.#start(model, settings);
    if (entry.source !== model) model[Symbol.dispose](); // another load of the same content serves
    return this.#hold(entry);
  }

  /** Loads graphs ahead of their use, one after another, and says what each cost. They stay loaded. */
  async preload(models: readonly { readonly path: string; readonly role: string }[]): Promise<Preloaded[]> {
    const done: Preloaded[] = [];
    for (const { path, role } of models) {
      const start = performance.now();
      using model = await this.acquire(path);
      const { sha256, device, bytes } = model;
      done.push({ path, role, sha256, device, bytes, ms: performance.now() - start });
    }
    return done;
  }

  stats(): ModelCacheStats {
    const models = [...this.#entries.values()].flatMap(({ loaded, references }) =>
      loaded
        ? [{ sha256: loaded.sha256, device: loaded.device, bytes: loaded.session.bytes(), references }]
        : [],
    );
    const { engine, reason = '' } = this.#engines.trusted ?? {};
    return {
      loads: this.#loads,
      hits: this.#hits,
      bytes: models.reduce((sum, { bytes }) => sum + bytes, 0),
      models,
      engine: engine && { name: engine.name, version: engine.version, reason },
      childRssBytes: this.#engines.childRssBytes(),
      peakChildRssBytes: this.#engines.peakChildRssBytes(),
    };
  }

  /** Releases the graphs that nobody holds. */
  clear(): void {
    for (const [key, entry] of this.#entries)
      if (entry.references === 0 && entry.loaded) {
        entry.loaded.session.release();
        this.#entries.delete(key);
      }
  }

  /** Releases every graph, once its runs in flight have ended, and ends the engine. Harmless when repeated. */
  async close(): Promise<void> {
    this.#closed = true;
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    await Promise.allSettled(entries.map(async ({ loading }) => (await loading).session.release()));
    await this.#engines.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #hold(entry: Entry): Promise<Model> {
    entry.references++;
    try {
      const loaded = await entry.loading;
      return new Model(loaded, () => entry.references--);
    } catch (error) {
      entry.references--;
      throw error;
    }
  }

  /** The entry of a graph that is loaded or loading, unless the process that held it is gone. */
  #live(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry?.loaded?.session.lost) this.#entries.delete(key);
    else if (entry) {
      this.#hits++;
      return entry;
    }
    return undefined;
  }

  #start(model: ModelBytes, settings: LoadSettings): Entry {
    const loading = this.#load(model, settings);
    const entry: Entry = { references: 0, source: model, loading, loaded: undefined };
    const key = keyOf(model.key, settings);
    this.#entries.set(key, entry);
    entry.loading.then(
      (loaded) => {
        entry.loaded = loaded;
        entry.source = undefined;
      },
      () => {
        if (this.#entries.get(key) === entry) this.#entries.delete(key);
      },
    );
    return entry;
  }

  async #load(source: ModelBytes, settings: LoadSettings): Promise<LoadedModel> {
    using model = source; // the session has its own copy once it is loaded
    const choice = await this.#engines.open(settings.limits);
    this.#loads++;
    const { candidates, rejected } = deviceCandidates(this.#options.device);
    return await loadOnFirst(candidates, [...rejected], choice, model, settings); // until then the bytes are in use
  }

  async #read(file: string): Promise<ModelBytes> {
    let reading = this.#reading.get(file);
    if (!reading) {
      reading = fromFile(file, this.#options.operatorDomains).finally(() => this.#reading.delete(file));
      this.#reading.set(file, reading);
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
    if (!this.#entries.has(key)) return undefined;
    return (await areUnchanged(known.stamps)) ? key : undefined;
  }

  #assertOpen(): void {
    if (this.#closed) throw new SpillwayError('ERR_CLOSED', 'the model cache has been closed');
  }
}

/** Names a session: by the content of its graph, and by how it was loaded. */
function keyOf(content: string, { variant }: LoadSettings): string {
  return `${content} ${variant}`;
}
