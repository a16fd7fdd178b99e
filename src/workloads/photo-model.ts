// Photos through a graph of the user's own: decode to what it takes, run it, name classes or keep the embedding.
import { readFile } from 'node:fs/promises';
import { Batcher, type BatchRunner } from '../batch/batcher.js';
import { fixedBatch } from '../batch/fixed-batch.js';
import type { Tensor } from '../contract/index.js';
import { decodeImage, openImage } from '../extract/image.js';
import type { Model } from '../models/model.js';
import { identifyModel, type ModelIdentity } from '../models/model-identity.js';
import { native } from '../native/load.js';
import type { Inspection, OpenWorkload, Parts, Served } from '../pipeline/workload.js';
import { codeOf, invalidArgument, messageOf, SpillwayError } from '../util/errors.js';
import { sha256Hex } from '../util/sha256.js';
import { parseLabels, readOutput } from './photo-classes.js';
import { photoData } from './photo-features.js';
import { type PhotoGraph, readGraph } from './photo-graph.js';
import type { PhotoModelOptions } from './photo-options.js';
import { type PixelTensor, pixelConverter, tensorBytes } from './photo-tensor.js';

/** Raised whenever a change of ours to decoding, conversion or reading changes results. */
const VERSION = 1;
/** A row of the output, as a tensor and as numbers; for graphs that do not tell. */
const OUTPUT_BYTES = 2048 * 16;

/** The graph at work. */
interface Started {
  readonly graph: PhotoGraph;
  readonly batcher: Batcher;
  readonly convert: (rgb: Uint8Array) => PixelTensor;
  /** Bytes of the rows that fill up a batch of fixed size. */
  readonly fillBytes: number;
}

/**
 * Opens the workload; the graph itself is loaded with the first photo that needs it. `baseBytes` is what the
 * libraries and the smallest photo take. Rejects with the system's code where a file cannot be read.
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
  const { model: _path, labels: _file, maxBatch: _batch, ...settings } = options;
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
  readonly leastBytes: number;
  readonly #settled: Settled;
  #model: Promise<Model> | undefined;
  #starting: Promise<Started> | undefined;
  #started: Started | undefined;
  #served: Served | undefined;

  constructor(settled: Settled) {
    this.#settled = settled;
    this.fingerprint = settled.fingerprint;
    // The graph's file is read whole and lives beside the weights made of it until they are.
    this.leastBytes = settled.baseBytes + 2 * settled.identity.bytes;
  }

  get pending(): number {
    return 2 * (this.#started?.graph.fixedBatch ?? this.#settled.options.maxBatch);
  }

  async inspect(bytes: Uint8Array): Promise<Inspection> {
    this.#starting ??= this.#start();
    const { graph, convert } = await this.#starting;
    const header = await openImage(bytes, { target: graph.target });
    return {
      costBytes: header.costBytes,
      // Its tensor, the copy in the batch, and its row of the output.
      keptBytes: 2 * tensorBytes(graph.format) + OUTPUT_BYTES,
      prepare: async (whole) => {
        const { pixels, metadata } = await decodeImage(whole, header);
        const tensor = convert(pixels);
        return async () => ({ kind: 'photo', data: photoData(header, metadata, await this.#ask(tensor)) });
      },
    };
  }

  observe(): void {}

  served(): Served | undefined {
    return this.#served;
  }

  summary(): Record<string, unknown> {
    return {};
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const model = await this.#model?.catch(() => undefined);
    model?.[Symbol.dispose]();
    if (this.#started) native().ledger.credit(this.#fillAccount(), this.#started.fillBytes);
  }

  async #ask(tensor: PixelTensor) {
    const { graph, batcher } = await (this.#starting as Promise<Started>);
    const { [graph.output]: row } = await batcher.submit({ [graph.input]: tensor });
    const { result, top } = this.#settled.options;
    return readOutput(row as Tensor, {
      output: graph.output,
      result,
      labels: this.#settled.labels,
      top,
    });
  }

  async #start(): Promise<Started> {
    const { options, signal } = this.#settled;
    this.#model = this.#acquire();
    const model = await this.#model;
    this.#served = { engine: model.engine.name, device: model.device };
    const graph = readGraph({ inputs: model.inputMetadata, outputs: model.outputMetadata }, options);
    const only: BatchRunner = {
      run: (feeds, runOptions) => model.run(feeds, { ...runOptions, outputs: [graph.output] }),
    };
    const rows = graph.fixedBatch;
    const runner = rows === undefined ? only : fixedBatch(only, rows);
    const fillBytes = ((rows ?? 1) - 1) * tensorBytes(graph.format);
    native().ledger.overdraw(this.#fillAccount(), fillBytes);
    this.#started = {
      graph,
      batcher: new Batcher(runner, { maxBatch: rows ?? options.maxBatch, signal }),
      convert: pixelConverter(graph.format),
      fillBytes,
    };
    return this.#started;
  }

  /** What is wrong with the graph is wrong for every photo: such an error ends the run. */
  async #acquire(): Promise<Model> {
    const { parts, options, identity } = this.#settled;
    const model = await parts.models.acquire(options.model).catch((cause: unknown) => {
      if (codeOf(cause) !== 'ERR_OUT_OF_MEMORY') throw cause;
      throw new SpillwayError(
        'ERR_MODEL_REJECTED',
        `expected room for ${options.model} within the budget but there was none: ${messageOf(cause)}`,
        { cause },
      );
    });
    if (model.sha256 === identity.sha256) return model;
    model[Symbol.dispose]();
    throw new SpillwayError('ERR_MODEL_REJECTED', `${options.model} changed since the run began`);
  }

  #fillAccount() {
    return this.#settled.parts.memory.account('batch');
  }
}
