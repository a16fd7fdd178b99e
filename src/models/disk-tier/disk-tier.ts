// The disk beneath the model cache: graphs as ONNX Runtime optimised them, loaded from there where that is faster.
//
// What goes wrong here never fails a load: the graph is then loaded plainly.
import type { DiskCache } from '../../cache/disk-cache.js';
import type { LoadPlan } from '../../contract/index.js';
import { codeOf, messageOf } from '../../util/errors.js';
import type { Engine, EngineSession } from '../engine/engine.js';
import { inTurn } from '../load-on-first.js';
import type { DiskTierStats } from '../model-cache-stats.js';
import type { ModelBytes } from '../model-source.js';
import { rejected } from '../vetting/rejection.js';
import { graphKey } from './graph-key.js';
import { deleteGraph, ENTRY, readGraph } from './graph-pieces.js';
import {
  decodeRecord,
  encodeRecord,
  type GraphRecord,
  type KeptGraph,
  nextLoad,
  withSample,
} from './graph-record.js';
import { type HeldBytes, holdBytes, optimiseGraph } from './optimise-graph.js';

/** A graph on its way into an engine. */
export interface GraphLoad {
  readonly engine: Engine;
  readonly model: ModelBytes;
  readonly plan: LoadPlan;
}

/** Failures that another time would meet again: the graph, or the engine with it, is at fault. */
const LASTING = new Set(['ERR_MODEL_REJECTED', 'ERR_ENGINE', 'ERR_TOO_LARGE']);

export class DiskTier {
  readonly #store: DiskCache;
  readonly #domains: readonly string[];
  readonly #now: () => number;
  readonly #counts = { hits: 0, misses: 0, plain: 0, stored: 0, rejected: 0, unkept: 0 };
  /** Keys of graphs that are being stored, or are to be. */
  readonly #storing = new Set<string>();
  readonly #pending = new Set<Promise<void>>();
  #problem: string | undefined;
  #closed = false;

  /** `domains`: those of operators that graphs may use beside the default ones. `now`: milliseconds. */
  constructor(store: DiskCache, domains: readonly string[], now = () => performance.now()) {
    this.#store = store;
    this.#domains = domains;
    this.#now = now;
  }

  /**
   * Loads a graph from the disk, or plainly; the optimised form of one that is not there is stored soon afterwards, behind
   * the loads that wait by then. Rejects as the engine does with the graph itself.
   */
  async load(load: GraphLoad): Promise<EngineSession> {
    const key = graphKey(load.engine, load.model.key, load.plan);
    let record = await this.#find(key);
    if (record && 'id' in record && nextLoad(record) === 'disk') {
      const session = await this.#loadKept(key, record, load);
      if (session) return session;
      record = await this.#find(key);
    }
    return this.#loadPlainly(key, record, load);
  }

  stats(): DiskTierStats {
    return { ...this.#counts, problem: this.#problem };
  }

  /** Begins nothing new and waits for what is being stored. */
  async close(): Promise<void> {
    this.#closed = true;
    while (this.#pending.size > 0) await Promise.all(this.#pending);
  }

  async #find(key: string): Promise<GraphRecord | undefined> {
    try {
      const bytes = await this.#store.get(key);
      return bytes && decodeRecord(bytes);
    } catch (error) {
      this.#problem = messageOf(error);
      return { left: messageOf(error) };
    }
  }

  /** Undefined where it could not be: it is gone then, unless that was nothing to do with it. */
  async #loadKept(
    key: string,
    record: KeptGraph,
    { engine, plan }: GraphLoad,
  ): Promise<EngineSession | undefined> {
    const start = this.#now();
    try {
      using graph = await readGraph(this.#store, key, record, this.#domains);
      if (!graph) return undefined;
      const session = await engine.load(graph.bytes, { ...plan, optimise: false });
      checkInputs(session, record.inputs);
      this.#counts.hits++;
      this.#replace(key, record, withSample(record, 'disk', this.#now() - start));
      return session;
    } catch (error) {
      this.#problem = messageOf(error);
      if (codeOf(error) === 'ERR_CACHE_CORRUPT') this.#replace(key, record, undefined);
      else if (LASTING.has(codeOf(error) ?? '')) this.#replace(key, record, { left: messageOf(error) });
      else return undefined;
      this.#counts.rejected++;
      return undefined;
    }
  }

  async #loadPlainly(key: string, record: GraphRecord | undefined, load: GraphLoad): Promise<EngineSession> {
    const start = this.#now();
    const session = await load.engine.load(load.model.bytes, load.plan);
    const ms = this.#now() - start;
    this.#counts[record ? 'plain' : 'misses']++;
    if (record && 'id' in record) this.#replace(key, record, withSample(record, 'plain', ms));
    if (!record && !this.#closed && !this.#storing.has(key)) {
      this.#storing.add(key);
      const held = await holdBytes(load.model);
      const known = { weight: session.bytes(), inputs: namesOf(session), ms };
      this.#track(
        inTurn(load.plan.device, () => this.#keep(key, load, held, known)).finally(() =>
          this.#storing.delete(key),
        ),
      );
    }
    return session;
  }

  /** Stores the optimised form of a graph whose plain load took `ms`. */
  async #keep(
    key: string,
    { engine, plan }: GraphLoad,
    held: HeldBytes | undefined,
    { weight, inputs, ms }: { weight: number; inputs: string[]; ms: number },
  ): Promise<void> {
    using source = held;
    if (this.#closed) return;
    try {
      if (!source) throw new Error('there is no room to keep the graph until it is optimised');
      const kept = await optimiseGraph(this.#store, key, { engine, bytes: source.bytes, plan, weight });
      await this.#store.set(key, encodeRecord({ ...kept, inputs, plain: [ms], disk: [] }), ENTRY);
      this.#counts.stored++;
    } catch (error) {
      this.#counts.unkept++;
      this.#problem = messageOf(error);
      if (!LASTING.has(codeOf(error) ?? '')) return;
      await this.#store.set(key, encodeRecord({ left: messageOf(error) }), ENTRY);
    }
  }

  /** Puts another record in the place of one, from the next look-up on; the graph goes where the new one has none. */
  #replace(key: string, old: KeptGraph, record: GraphRecord | undefined): void {
    const changes = [
      record ? this.#store.set(key, encodeRecord(record), ENTRY) : this.#store.delete(key),
      ...(record && 'id' in record ? [] : [deleteGraph(this.#store, key, old)]),
    ];
    this.#track(Promise.all(changes));
  }

  /** Notes a failure, which is nobody's to wait for. */
  #track(work: Promise<unknown>): void {
    const pending: Promise<void> = work
      .then(
        () => undefined,
        (error: unknown) => {
          this.#problem = messageOf(error);
        },
      )
      .finally(() => this.#pending.delete(pending));
    this.#pending.add(pending);
  }
}

function namesOf({ inputs }: EngineSession): string[] {
  return inputs.map(({ name }) => name);
}

/** Releases a session that wants other inputs than the graph does, and throws `ERR_MODEL_REJECTED`. */
function checkInputs(session: EngineSession, wanted: readonly string[]): void {
  const names = namesOf(session);
  if (names.length === wanted.length && names.every((name, index) => name === wanted[index])) return;
  session.release();
  throw rejected(
    'optimised graph',
    `expected the inputs [${wanted.join(', ')}] but it has [${names.join(', ')}]`,
  );
}
