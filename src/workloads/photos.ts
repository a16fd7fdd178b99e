// The photos workload: decode, one graph over all of them, features per photo, near-duplicates at the end.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Batcher } from '../batch/batcher.js';
import type { AccountId, Tensor } from '../contract/index.js';
import { decodeImage, openImage } from '../extract/image.js';
import { loadSharp } from '../extract/sharp.js';
import { native } from '../native/load.js';
import type { Inspection, OpenWorkload, Outcome, Parts, Served, Workload } from '../pipeline/workload.js';
import { sha256Hex } from '../util/sha256.js';
import { pendingOf, stageAcquisition, stageBatcher } from './infer-stage.js';
import { NearDuplicateIndex } from './near-duplicates.js';
import {
  DCT_LENGTH,
  PHOTO_SIDE,
  type PhotoData,
  photoData,
  photoFeatures,
  SUMS_LENGTH,
} from './photo-features.js';
import { openPhotoModel } from './photo-model.js';
import { checkPhotosOptions, hasModel, type InferStage, type PhotosOptions } from './photo-options.js';
import { StageModel } from './stage-model.js';

export type { PhotosOptions };

/** Raised whenever a change of ours to decoding or to the features changes results. */
const EXTRACTOR_VERSION = 2;
const MODEL = fileURLToPath(new URL('../../models/photo-features.onnx', import.meta.url));
const PIXEL_BYTES = PHOTO_SIDE * PHOTO_SIDE * 3;
const OUTPUT_BYTES = (DCT_LENGTH + SUMS_LENGTH) * 8;

/**
 * Perceptual hash, sharpness, exposure and colour of every photo, with its dimensions, format and EXIF beside
 * them; the summary lists near-duplicates. With a `model` instead: the likeliest classes that the graph names, or its
 * embedding, and no near-duplicates; size, layout and element type are read off the graph, and what does not fit it
 * ends the run with `ERR_MODEL_REJECTED` or `ERR_INVALID_ARGUMENT`. Anything that is not an image fails with
 * `ERR_DECODE`. Throws `ERR_INVALID_ARGUMENT`.
 */
export function photos(given: PhotosOptions = {}): Workload {
  const options = checkPhotosOptions(given);
  return {
    name: 'photos',
    open: (parts, signal) =>
      hasModel(options)
        ? openPhotoModel(parts, options, leastBytes(), signal)
        : OpenPhotos.open(parts, options.infer, signal),
  };
}

/**
 * What sharp, ONNX Runtime and a small photo take beside a process that has just started, found by trying budgets on
 * 22 images, 2 of them refused whatever the budget: from 58 MB at the start, 115 MB let 5 through, 120 MB 14 and
 * 130 MB 18. With the engine in a child process 200 MB let 17 through and 250 MB 19.
 */
const LEAST_BYTES = { native: 60e6, stock: 160e6 };

function leastBytes(): number {
  return native().capabilities.includes('infer') ? LEAST_BYTES.native : LEAST_BYTES.stock;
}

class OpenPhotos implements OpenWorkload {
  readonly fingerprint: string;
  readonly identity = 'content';
  readonly leastBytes: number;
  readonly #parts: Parts;
  readonly #infer: InferStage;
  readonly #signal: AbortSignal;
  readonly #duplicates = new NearDuplicateIndex();
  readonly #account: AccountId;
  #model: StageModel | undefined;
  #batcher: Batcher | undefined;
  #starting: Promise<Batcher> | undefined;

  private constructor(parts: Parts, modelSha256: string, infer: InferStage, signal: AbortSignal) {
    this.fingerprint = `photos/${EXTRACTOR_VERSION} side:${PHOTO_SIDE} model:${modelSha256}`;
    this.leastBytes = leastBytes();
    this.#parts = parts;
    this.#infer = infer;
    this.#signal = signal;
    this.#account = parts.memory.account('near-duplicates');
    native().ledger.overdraw(this.#account, this.#duplicates.bytes);
  }

  static async open(parts: Parts, infer: InferStage, signal: AbortSignal): Promise<OpenPhotos> {
    return new OpenPhotos(parts, await sha256Hex(await readFile(MODEL)), infer, signal);
  }

  readonly reads = 'whole';

  get pending(): number {
    return pendingOf(this.#infer, this.#batcher?.concurrency);
  }

  async inspect(bytes: Uint8Array): Promise<Inspection> {
    // Before the first photo is decoded: what libraries take can only be told apart while nothing is estimated.
    this.#starting ??= this.#startBatcher();
    const batcher = await this.#starting;
    const header = await openImage(bytes);
    return {
      costBytes: header.costBytes,
      // Its pixels, their copy in the batch, and its row of the outputs.
      keptBytes: 2 * PIXEL_BYTES + OUTPUT_BYTES,
      prepare: async (whole) => {
        const { pixels, metadata } = await decodeImage(whole, header);
        return async () => {
          const features = await featuresOf(batcher, pixels);
          return { kind: 'photo', data: photoData(header, metadata, features) };
        };
      },
    };
  }

  observe(path: string, { data }: Outcome): void {
    const before = this.#duplicates.bytes;
    this.#duplicates.add(path, (data as PhotoData).phash);
    native().ledger.overdraw(this.#account, this.#duplicates.bytes - before);
  }

  served(): Served | undefined {
    return this.#model?.served(this.#batcher);
  }

  summary(): Record<string, unknown> {
    return { nearDuplicates: this.#duplicates.groups() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#starting?.catch(() => undefined);
    await this.#model?.[Symbol.asyncDispose]();
    native().ledger.credit(this.#account, this.#duplicates.bytes);
  }

  /** Loads what decodes and the graph with the first photo that needs them: a run from the store never does. */
  async #startBatcher(): Promise<Batcher> {
    await loadSharp();
    const loaded = await this.#parts.models.acquire(MODEL, stageAcquisition(this.#infer));
    this.#model = new StageModel(this.#parts, loaded, MODEL);
    this.#parts.memory.measure();
    const { runner, fallback } = this.#model;
    this.#batcher = new Batcher(runner, stageBatcher(this.#parts, this.#infer, this.#signal, fallback));
    return this.#batcher;
  }
}

async function featuresOf(batcher: Batcher, pixels: Uint8Array) {
  const input: Tensor = { type: 'uint8', dims: [1, PHOTO_SIDE, PHOTO_SIDE, 3], data: pixels };
  const { dct, sums } = await batcher.submit({ pixels: input });
  return photoFeatures(dct?.data as Float64Array, sums?.data as Float64Array);
}
