// The options of the photos workload: checked, defaults filled in.
import * as v from 'valibot';
import { inferStageSchema, planBatcher } from '../batch/batcher-options.js';
import { loadOptionEntries } from '../models/load-options.js';
import { invalidArgument } from '../util/errors.js';
import { parseOptions } from '../util/options.js';
import { RANGES } from './photo-tensor.js';

/** Larger inputs than any published image model has, and a bound for what decoding to them takes. */
const MAX_SIZE = 4096;

/** What only a graph of the user's own needs. */
const modelEntries = {
  /** The side in pixels of the image that is fed, where the graph leaves it open; 224 unless told. */
  size: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_SIZE))),
  /** The order of the graph's dimensions; `'auto'`, the default, finds the one of 3 or 1 channels. */
  layout: v.optional(v.picklist(['auto', 'nchw', 'nhwc']), 'auto'),
  /**
   * What the levels 0 to 255 become; `'auto'`, the default: 0 to 255 for an input of uint8, else 0 to 1. `'imagenet'`:
   * 0 to 1, less the mean and divided by the deviation of ImageNet's colours.
   */
  range: v.optional(v.picklist(['auto', ...RANGES]), 'auto'),
  /** The order of the colours; `'rgb'` unless told. A graph of one channel gets luma. */
  channels: v.optional(v.picklist(['rgb', 'bgr']), 'rgb'),
  /** `'cover'`, the default: the middle of the photo; `'contain'`: all of it, black beside; `'fill'`: all of it, distorted. */
  fit: v.optional(v.picklist(['cover', 'contain', 'fill']), 'cover'),
  /** The name of the output that counts; the first unless told. */
  output: v.optional(v.pipe(v.string(), v.nonEmpty())),
  /** `'auto'`, the default: classes where there are labels or the output holds 1000 or 1001 numbers, else an embedding. */
  result: v.optional(v.picklist(['auto', 'classes', 'embedding']), 'auto'),
  /** A text file in UTF-8 with the label of each class on a line of its own. */
  labels: v.optional(v.pipe(v.string(), v.nonEmpty())),
  /** How many of the likeliest classes a result names; 5 unless told. */
  top: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), 5),
};

const maxBatch = v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1024)), 8);

/** Of a batcher's options a budget of tokens is left out: photos reach the graph in one size, so `maxBatch` says it all. */
const inferStage = v.strictObject({
  ...v.partial(inferStageSchema).entries,
  /** Where the graph runs: `'cpu'`, `'cuda'`, `'webgpu'`, or `'auto'`; that of the model cache unless told. */
  device: loadOptionEntries.device,
});

const stages = v.optional(
  v.strictObject({
    /** How photos are given to the graph; its `maxBatch` wins over the one beside. */
    infer: v.optional(inferStage, {}),
  }),
  {},
);

const schema = v.strictObject({
  /** Photos in one run of the graph at most, 8 unless told; a graph that fixes their number has its way. */
  maxBatch,
  /** How much each stage may take of the machine. */
  stages,
  /** An ONNX graph of the user's own, instead of the bundled one. */
  model: v.optional(v.pipe(v.string(), v.nonEmpty())),
  ...modelEntries,
});

export type PhotosOptions = v.InferInput<typeof schema>;

type Parsed = v.InferOutput<typeof schema>;

/** How photos are given to a graph. */
export type InferStage = Parsed['stages']['infer'] & { readonly maxBatch: number };

type Checked = Omit<Parsed, 'maxBatch' | 'stages'> & { readonly infer: InferStage };

/** Final values for a graph of the user's own. */
export type PhotoModelOptions = Checked & { readonly model: string };

/** Throws `ERR_INVALID_ARGUMENT`, also for an option that does nothing beside the others. */
export function checkPhotosOptions(given: PhotosOptions): Checked {
  const { maxBatch: usual, stages, ...options } = parseOptions(schema, given, 'photos');
  if (options.model === undefined)
    for (const name of Object.keys(modelEntries) as (keyof typeof modelEntries)[])
      if (given[name] !== undefined)
        throw invalidArgument(`photos.${name}`, 'nothing without a model of your own', given[name]);
  if (options.result === 'embedding' && options.labels !== undefined)
    throw invalidArgument('photos.labels', "nothing beside result 'embedding'", options.labels);
  const infer = { ...stages.infer, maxBatch: stages.infer.maxBatch ?? usual };
  const { device: _acquired, ...batcher } = infer;
  planBatcher(batcher);
  return { ...options, infer };
}

export function hasModel(options: Checked): options is PhotoModelOptions {
  return options.model !== undefined;
}
