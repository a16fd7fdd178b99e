// Photos through a graph of the user's own: decode to what it takes, run it, name classes or keep the embedding.
import { readFile } from 'node:fs/promises';
import type { BatchRunner } from '../batch/batch-runner.js';
import { Batcher } from '../batch/batcher.js';
import { fixedBatch } from '../batch/fixed-batch.js';
import type { Tensor } from '../contract/index.js';
import { decodeImage, openImage } from '../extract/image.js';
import type { Model } from '../models/model.js';
import { identifyModel, type ModelIdentity } from '../models/model-identity.js';
import { native } from '../native/load.js';
import type { Inspection, OpenWorkload, Parts, Served } from '../pipeline/workload.js';
import { codeOf, invalidArgument, messageOf, SpillwayError } from '../util/errors.js';
import { sha256Hex } from '../util/sha256.js';
import { pendingOf, stageAcquisition, stageBatcher } from './infer-stage.js';
import { parseLabels, readOutput } from './photo-classes.js';
import { photoData } from './photo-features.js';
import { type PhotoGraph, readGraph } from './photo-graph.js';
import type { InferStage, PhotoModelOptions } from './photo-options.js';
import { type PixelTensor, pixelConverter, tensorBytes } from './photo-tensor.js';
import { StageModel } from './stage-model.js';

/** Raised whenever a change of ours to decoding, conversion or reading changes results. */
const VERSION = 1;
/** What decoding takes at least. */
const LEAST_DECODE = 2e6;
/** A row of the output, as a tensor and as numbers; for graphs that do not tell. */
const OUTPUT_BYTES = 2048 * 16;

/** The graph at work. */
interface Started {
  readonly graph: PhotoGraph;
  readonly batcher: Batcher;
  readonly convert: (rgb: Uint8Array) => PixelTensor;
  /** Bytes of the rows that fill up batches of fixed size. */
  readonly fillBytes: number;
}

/**
 * Copies of a graph's file that loading it takes at its peak: as read, as parsed, and the weights made of it; with the
 * engine in a child process, on both sides of the pipe. Measured with 100 MB of weights: 290 MB and 590 MB more than
 * with a graph of no size.
 */
const COPIES = { native: 3, stock: 6 };
/** Of these, what is on the ledger by itself: the file as read, and what the engine charges. */
const CHARGED_COPIES = { native: 2, stock: 1 };

/**
 * Opens the workload; the graph itself is loaded once a photo needs it. `baseBytes` is what the libraries and the
 * smallest photo take. Rejects with the system's code where a file cannot be read.
 */
export async function openPhotoModel(
  parts: Parts,
  options: PhotoModelOptions,
  baseBytes: number,
  signal: AbortSignal,
): Promise<OpenWorkload> {
  const text = options.labels === undefined ? undefined : await readFile(options.labels, 'utf8');
  const labels = text === undefined ? undefined : parseLabels(text);
  if (labels?.length === 0) throw invalidArgument('photos.labels', 'a label on each line', options.labels);
  const identity = await identifyModel(options.model);
  // Where files lie, and how many photos run at once, makes no difference to a result.
  const { model: _path, labels: _file, infer: _stage, ...settings } = options;
  const labelsSha256 = text === undefined ? null : await sha256Hex(Buffer.from(text));
  const asked = JSON.stringify({ ...settings, labels: labelsSha256 });
  const fingerprint = `photos-model/${VERSION} model:${identity.key} ${asked}`;
  return new OpenPhotoModel({ parts, options, labels, identity, fingerprint, baseBytes, signal });
}

interface Settled {
  readonly parts: Parts;
  readonly options: PhotoModelOptions;
  readonly labels: readonly string[] | undefined;
  readonly identity: ModelIdentity;
  readonly fingerprint: string;
  readonly baseBytes: number;
  readonly signal: AbortSignal;
}

class OpenPhotoModel implements OpenWorkload {
  readonly fingerprint: string;
  readonly identity = 'content';
  readonly reads = 'whole';
  readonly leastBytes: number;
  readonly #settled: Settled;
  readonly #engine = native().capabilities.includes('infer') ? 'native' : 'stock';
  #model: StageModel | undefined;
  #started: Started | undefined;

  constructor(settled: Settled) {
    this.#settled = settled;
    this.fingerprint = settled.fingerprint;
    this.leastBytes = settled.baseBytes + COPIES[this.#engine] * settled.identity.bytes;
  }

  get pending(): number {
    const { graph, batcher } = this.#started ?? {};
    return pendingOf(this.#stage(graph?.fixedBatch), batcher?.concurrency);
  }

  /** Loads the graph: a run that finds everything in the store never does. */
  async ready(): Promise<void> {
    const { parts, options, signal } = this.#settled;
    const model = await this.#load();
    const graph = this.#readGraph(model);
    const rows = graph.fixedBatch;
    const adapt = (each: Model) => {
      const only = onlyOutput(each, graph.output);
      return rows === undefined ? only : fixedBatch(only, rows);
    };
    this.#model = new StageModel(parts, model, options.model, adapt);
    const { runner, fallback } = this.#model;
    const batcher = new Batcher(runner, stageBatcher(parts, this.#stage(rows), signal, fallback));
    const fillBytes = batcher.concurrency * ((rows ?? 1) - 1) * tensorBytes(graph.format);
    native().ledger.overdraw(this.#fillAccount(), fillBytes);
    this.#started = { graph, batcher, convert: pixelConverter(graph.format), fillBytes };
    // Some graphs take many times their file once loaded; without room for one photo none would go through.
    using _probe = await parts.memory.reserve('decode', LEAST_DECODE + this.#keptBytes(graph), { signal });
  }

  async inspect(bytes: Uint8Array): Promise<Inspection> {
    const { graph, convert } = this.#running();
    const header = await openImage(bytes, { target: graph.target });
    return {
      costBytes: header.costBytes,
      keptBytes: this.#keptBytes(graph),
      prepare: async (whole) => {
        const { pixels, metadata } = await decodeImage(whole, header);
        const tensor = convert(pixels);
        return async () => ({ kind: 'photo', data: photoData(header, metadata, await this.#ask(tensor)) });
      },
    };
  }

  observe(): void {}

  served(): Served | undefined {
    return this.#model?.served(this.#started?.batcher);
  }

  summary(): Record<string, unknown> {
    return {};
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#model?.[Symbol.asyncDispose]();
    if (this.#started) native().ledger.credit(this.#fillAccount(), this.#started.fillBytes);
  }

  async #ask(tensor: PixelTensor) {
    const { graph, batcher } = this.#running();
    const { labels, options } = this.#settled;
    const { [graph.output]: row } = await batcher.submit({ [graph.input]: tensor });
    const { result, top } = options;
    return readOutput(row as Tensor, { output: graph.output, result, labels, top });
  }

  async #load(): Promise<Model> {
    const { parts, options, identity, signal } = this.#settled;
    const { memory, models } = parts;
    const copies = COPIES[this.#engine] - CHARGED_COPIES[this.#engine];
    using _room = await memory.reserve('models', copies * identity.bytes, { signal });
    const model = await models
      .acquire(options.model, stageAcquisition(options.infer))
      .catch((cause: unknown) => {
        if (codeOf(cause) !== 'ERR_OUT_OF_MEMORY') throw cause;
        throw new SpillwayError(
          'ERR_BUDGET_EXCEEDED',
          `expected room for ${options.model} within the budget but there was none: ${messageOf(cause)}`,
          { cause },
        );
      });
    if (model.sha256 === identity.sha256) return model;
    model[Symbol.dispose]();
    throw new SpillwayError('ERR_MODEL_REJECTED', `${options.model} changed since the run began`);
  }

  /** Gives the hold back where the graph cannot be used. */
  #readGraph(model: Model): PhotoGraph {
    try {
      const values = { inputs: model.inputMetadata, outputs: model.outputMetadata };
      return readGraph(values, this.#settled.options);
    } catch (error) {
      model[Symbol.dispose]();
      throw error;
    }
  }

  /** A photo's tensor, its copy in the batch, and its row of the output. */
  #keptBytes({ format }: PhotoGraph): number {
    return 2 * tensorBytes(format) + OUTPUT_BYTES;
  }

  /** A graph that fixes its rows is given as many: fewer would cost the same. */
  #stage(rows: number | undefined): InferStage {
    const { infer } = this.#settled.options;
    return rows === undefined ? infer : { ...infer, minBatch: rows, maxBatch: rows };
  }

  #running(): Started {
    if (this.#started) return this.#started;
    throw new TypeError('expected ready() to come before the first file');
  }

  #fillAccount() {
    return this.#settled.parts.memory.account('batch');
  }
}

/** A graph of which one output counts. */
function onlyOutput(model: Model, output: string): BatchRunner {
  const { runRows } = model;
  const outputs = [output];
  return {
    device: model.device,
    concurrency: model.concurrency,
    run: (feeds, options) => model.run(feeds, { ...options, outputs }),
    runRows: runRows && ((feeds, rows, options) => runRows(feeds, rows, { ...options, outputs })),
  };
}
