// How photos go into a graph of the user's own, and what comes out: read off its inputs and outputs.
import type { ValueInfo } from '../contract/index.js';
import type { ImageTarget } from '../extract/image.js';
import { invalidArgument, SpillwayError } from '../util/errors.js';
import type { PhotoModelOptions } from './photo-options.js';
import { PIXEL_TYPES, type PixelFormat, type PixelType } from './photo-tensor.js';

/** A graph's inputs and outputs. */
export interface GraphShape {
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
}

/** Final values. */
export interface PhotoGraph {
  readonly input: string;
  readonly format: PixelFormat;
  /** What photos are decoded to. */
  readonly target: ImageTarget;
  /** Photos that one run takes, neither more nor less; undefined where any number will do. */
  readonly fixedBatch: number | undefined;
  readonly output: string;
}

const DEFAULT_SIZE = 224;
const CHANNELS = new Set<number | string>([1, 3]);
/** Where channels, height and width stand. */
const AXES = { nchw: { c: 1, h: 2, w: 3 }, nhwc: { c: 3, h: 1, w: 2 } } as const;
const OUTPUT_TYPES: ReadonlySet<string | undefined> = new Set(['float32', 'float64', 'float16']);

/**
 * Fits options to a graph. Throws `ERR_MODEL_REJECTED` for a graph that does not take one image or gives no numbers,
 * `ERR_INVALID_ARGUMENT` for an option that this graph cannot follow; either names what the graph has.
 */
export function readGraph({ inputs, outputs }: GraphShape, options: PhotoModelOptions): PhotoGraph {
  const input = imageInput(inputs);
  const format = formatOf(input, options);
  const output = outputOf(outputs, options.output);
  const { width, height } = format;
  return {
    input: input.name,
    format,
    target: { width, height, fit: options.fit },
    fixedBatch: fixedBatchOf(input, output),
    output: output.name,
  };
}

function imageInput(inputs: readonly ValueInfo[]): ValueInfo & { readonly type: PixelType } {
  const [input] = inputs;
  const { type, dims } = input ?? {};
  if (input && inputs.length === 1 && isPixelType(type) && dims?.length === 4) return { ...input, type };
  throw new SpillwayError(
    'ERR_MODEL_REJECTED',
    `expected a graph of one input, an image [N, 3, H, W] or [N, H, W, 3] of ${PIXEL_TYPES.join(', ')}, but its inputs are ${describeAll(inputs)}`,
  );
}

function formatOf(input: ValueInfo & { readonly type: PixelType }, options: PhotoModelOptions): PixelFormat {
  const { type, dims } = input;
  const layout = layoutOf(input, options.layout);
  const axes = AXES[layout];
  const range = options.range === 'auto' ? (type === 'uint8' ? '0..255' : '0..1') : options.range;
  const channels = dims[axes.c] === 1 ? 1 : 3;
  if (type === 'uint8' && range !== '0..255')
    throw invalidArgument('photos.range', `'auto' or '0..255' for the input ${describe(input)}`, range);
  if (channels === 1 && range === 'imagenet')
    throw invalidArgument('photos.range', `a range without colours for the input ${describe(input)}`, range);
  const height = sideOf(input, axes.h, options.size);
  const width = sideOf(input, axes.w, options.size);
  return { type, layout, channels, order: options.channels, range, width, height };
}

/** Three channels where the graph leaves their number open. */
function layoutOf(input: ValueInfo, asked: PhotoModelOptions['layout']): 'nchw' | 'nhwc' {
  const [nchw, nhwc] = [input.dims[AXES.nchw.c] ?? '', input.dims[AXES.nhwc.c] ?? ''];
  if (asked !== 'auto') {
    const channels = asked === 'nchw' ? nchw : nhwc;
    if (CHANNELS.has(channels) || typeof channels === 'string') return asked;
    throw invalidArgument('photos.layout', `a layout with 3 or 1 channels for ${describe(input)}`, asked);
  }
  if (CHANNELS.has(nchw)) return 'nchw';
  if (CHANNELS.has(nhwc)) return 'nhwc';
  if (typeof nchw === 'string') return 'nchw';
  if (typeof nhwc === 'string') return 'nhwc';
  throw new SpillwayError(
    'ERR_MODEL_REJECTED',
    `expected an image of 3 or 1 channels, [N, 3, H, W] or [N, H, W, 3], but the graph takes ${describe(input)}`,
  );
}

function sideOf(input: ValueInfo, axis: number, asked: number | undefined): number {
  const fixed = input.dims[axis];
  if (typeof fixed !== 'number') return asked ?? DEFAULT_SIZE;
  if (asked === undefined || asked === fixed) return fixed;
  throw invalidArgument(
    'photos.size',
    `${fixed}, which the graph fixes in its input ${describe(input)},`,
    asked,
  );
}

function outputOf(outputs: readonly ValueInfo[], name: string | undefined): ValueInfo {
  const output = name === undefined ? outputs[0] : outputs.find((each) => each.name === name);
  if (!output)
    throw invalidArgument('photos.output', `one of the graph's outputs ${describeAll(outputs)}`, name);
  if (OUTPUT_TYPES.has(output.type)) return output;
  throw new SpillwayError(
    'ERR_MODEL_REJECTED',
    `expected an output of float32, float64 or float16 but ${output.name} is none; the graph's outputs are ${describeAll(outputs)}`,
  );
}

/** Some graphs take any number of photos by their input, and say by their output that they do not. */
function fixedBatchOf(input: ValueInfo, output: ValueInfo): number | undefined {
  return [input.dims[0], output.dims[0]].find((size) => typeof size === 'number');
}

function isPixelType(type: string | undefined): type is PixelType {
  return (PIXEL_TYPES as readonly (string | undefined)[]).includes(type);
}

function describe({ name, type, dims }: ValueInfo): string {
  return `${name} ${type ?? '(no tensor)'} [${dims.map((size) => size || '?').join(', ')}]`;
}

function describeAll(values: readonly ValueInfo[]): string {
  return values.length === 0 ? 'none' : values.map(describe).join('; ');
}
