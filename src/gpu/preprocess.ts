// Images to a model's inputs: resize, normalisation and layout in one kernel, or in its twin on the CPU.
import * as v from 'valibot';
import type { PreprocessPlan, RawImage } from '../contract/index.js';
import { invalidArgument } from '../util/errors.js';
import { parseOptions } from '../util/options.js';
import { gpuSide, parseDevice } from './side.js';

/** An image's bytes: rows of 1 (grey), 3 (RGB) or 4 (RGBA) bytes a pixel. */
export interface PreprocessImage {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  /** Bytes from one row to the next; packed unless told. */
  readonly rowBytes?: number;
}

export interface PreprocessOptions {
  /** Where: a device's number, or `'cpu'` for the twin, which gives the same numbers to within rounding. */
  readonly device: number | 'cpu';
  /** Bytes a pixel of every image: 3 unless told. Of 4 the last, alpha, is left out. */
  readonly channels?: 1 | 3 | 4;
  /** Pixels of the inputs. */
  readonly width: number;
  readonly height: number;
  /** `'float32'` unless told. */
  readonly type?: 'float32' | 'float16';
  /** `'nchw'` unless told. */
  readonly layout?: 'nchw' | 'nhwc';
  /** A sample is `(value / 255 - mean) / deviation`, by channel; 0 and 1 unless told. */
  readonly mean?: readonly number[];
  readonly deviation?: readonly number[];
  /** Weigh every source pixel when reducing, as Pillow and torchvision do; true unless told. */
  readonly antialias?: boolean;
}

/** The inputs of a batch. */
export interface PreprocessResult {
  /** Images × channels × height × width, or images × height × width × channels. */
  readonly dims: readonly number[];
  /** `float16` as its bits. */
  readonly data: Float32Array | Uint16Array;
  /** The kernel's time by the device's clock; 0 on the CPU. */
  readonly kernelMs: number;
}

const side = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(2 ** 20));
const channelValues = v.array(v.pipe(v.number(), v.finite()));

const optionsSchema = v.strictObject({
  device: v.union([v.literal('cpu'), v.number()]),
  channels: v.optional(v.picklist([1, 3, 4]), 3),
  width: side,
  height: side,
  type: v.optional(v.picklist(['float32', 'float16']), 'float32'),
  layout: v.optional(v.picklist(['nchw', 'nhwc']), 'nchw'),
  mean: v.optional(channelValues),
  deviation: v.optional(channelValues),
  antialias: v.optional(v.boolean(), true),
});

/**
 * Makes one input per image. The bytes of the images must neither be changed nor transferred until the promise
 * settles. Throws `ERR_INVALID_ARGUMENT`, and on a device what {@link DevicePool.allocate} throws, and `ERR_TOO_LARGE`
 * where an image would be made more than some 150 times smaller.
 */
export async function preprocess(
  images: readonly PreprocessImage[],
  options: PreprocessOptions,
): Promise<PreprocessResult> {
  const { device, type, layout, channels, mean, deviation, ...size } = parseOptions(
    optionsSchema,
    options,
    'options',
  );
  const samples = channels === 1 ? 1 : 3;
  const plan: PreprocessPlan = {
    ...size,
    ...normalisation(samples, mean, deviation),
    device: device === 'cpu' ? -1 : parseDevice(device),
    channels,
    half: type === 'float16',
    planar: layout === 'nchw',
  };
  if (images.length < 1 || images.length > 65535)
    throw invalidArgument('images', 'an array of 1 to 65535 images', images);
  const raw = images.map((image, i) => checked(image, channels, `images[${i}]`));
  const elements = images.length * samples * size.width * size.height;
  const output = new ArrayBuffer(elements * (plan.half ? 2 : 4));
  const kernelMs = await gpuSide().preprocess(raw, plan, output);
  const { width, height } = size;
  return {
    dims: plan.planar ? [images.length, samples, height, width] : [images.length, height, width, samples],
    data: plan.half ? new Uint16Array(output) : new Float32Array(output),
    kernelMs,
  };
}

/** Mean and deviation of 0..1 folded into a scale and a bias of 0..255, three of each. */
function normalisation(samples: number, mean: readonly number[] = [], deviation: readonly number[] = []) {
  for (const [name, values] of Object.entries({ mean, deviation }))
    if (values.length !== 0 && values.length !== samples)
      throw invalidArgument(`options.${name}`, `an array of ${samples}`, values);
  if (deviation.includes(0))
    throw invalidArgument('options.deviation', 'numbers other than 0', JSON.stringify(deviation));
  const at = [0, 1, 2];
  return {
    scale: at.map((i) => 1 / 255 / (deviation[i] ?? 1)),
    bias: at.map((i) => -(mean[i] ?? 0) / (deviation[i] ?? 1)),
  };
}

function checked(image: PreprocessImage, channels: number, name: string): RawImage {
  const { data, width, height, rowBytes = width * channels } = image;
  if (!v.is(side, width)) throw invalidArgument(`${name}.width`, 'an integer of at least 1', width);
  if (!v.is(side, height)) throw invalidArgument(`${name}.height`, 'an integer of at least 1', height);
  if (!Number.isInteger(rowBytes) || rowBytes < width * channels)
    throw invalidArgument(`${name}.rowBytes`, `at least ${width * channels}`, rowBytes);
  const least = rowBytes * (height - 1) + width * channels;
  if (!(data instanceof Uint8Array) || data.byteLength < least)
    throw invalidArgument(`${name}.data`, `a Uint8Array of at least ${least} bytes`, data);
  return { data, width, height, rowBytes };
}
