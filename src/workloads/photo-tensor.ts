// From RGB bytes to the tensor a graph wants: order of channels, layout, range of values, element type.
import type { Tensor } from '../contract/index.js';
import { toFloat16 } from '../util/float16.js';

/** Element types of an image input. */
export const PIXEL_TYPES = ['float32', 'float16', 'float64', 'uint8'] as const;
export type PixelType = (typeof PIXEL_TYPES)[number];

/** What the levels 0 to 255 become. */
export const RANGES = ['0..1', '-1..1', '0..255', 'imagenet'] as const;
export type PixelRange = (typeof RANGES)[number];

/** How a graph takes an image. */
export interface PixelFormat {
  readonly type: PixelType;
  readonly layout: 'nchw' | 'nhwc';
  readonly channels: 1 | 3;
  readonly order: 'rgb' | 'bgr';
  readonly range: PixelRange;
  readonly width: number;
  readonly height: number;
}

export type PixelTensor = Tensor & { readonly data: Float32Array | Float64Array | Uint16Array | Uint8Array };

/** Mean and deviation of ImageNet's red, green and blue in 0–1, as torchvision's models were trained with. */
const IMAGENET = { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] } as const;

const ARRAYS = { float32: Float32Array, float64: Float64Array, float16: Uint16Array, uint8: Uint8Array };
const LEVELS = 256;

export const PIXEL_BYTES = { float32: 4, float64: 8, float16: 2, uint8: 1 } as const;

/** Bytes of one image's tensor. */
export function tensorBytes({ type, channels, width, height }: PixelFormat): number {
  return PIXEL_BYTES[type] * channels * width * height;
}

/**
 * Makes the function that turns `width × height × 3` RGB bytes into a tensor of one image, owned by the caller. Each
 * level's value is computed once, so that converting is a look-up: 1 ms for 224 × 224.
 */
export function pixelConverter(format: PixelFormat): (rgb: Uint8Array) => PixelTensor {
  const { type, layout, channels, order, width, height } = format;
  const pixels = width * height;
  const dims = layout === 'nchw' ? [1, channels, height, width] : [1, height, width, channels];
  const pixelStep = layout === 'nchw' ? 1 : channels;
  const channelStep = layout === 'nchw' ? pixels : 1;
  const colours = order === 'rgb' ? [0, 1, 2] : [2, 1, 0];
  const tables = colours.map((colour) => levelTable(format, colour));
  const grey = channels === 1;
  return (rgb) => {
    const data = new ARRAYS[type](channels * pixels);
    for (let channel = 0; channel < channels; channel++) {
      const table = tables[channel] as (typeof tables)[number];
      const first = channel * channelStep;
      const colour = colours[channel] as number;
      for (let pixel = 0, from = 0; pixel < pixels; pixel++, from += 3) {
        const level = grey ? luma(rgb, from) : (rgb[from + colour] as number);
        data[first + pixel * pixelStep] = table[level] as number;
      }
    }
    return { type, dims, data };
  };
}

/** The value of each level of a colour (0 red, 1 green, 2 blue) as the graph's elements. */
function levelTable({ type, range }: PixelFormat, colour: number) {
  const value = (level: number): number => {
    switch (range) {
      case '0..255':
        return level;
      case '0..1':
        return level / 255;
      case '-1..1':
        return level / 127.5 - 1;
      case 'imagenet':
        return (level / 255 - (IMAGENET.mean[colour] ?? 0)) / (IMAGENET.deviation[colour] ?? 1);
    }
  };
  const encode = type === 'float16' ? toFloat16 : (number: number) => number;
  return new ARRAYS[type](Array.from({ length: LEVELS }, (_, level) => encode(value(level))));
}

/** ITU-R 601-2 luma in 16-bit fixed point, rounded, as Pillow's mode L. */
function luma(rgb: Uint8Array, at: number): number {
  const [r, g, b] = [rgb[at] as number, rgb[at + 1] as number, rgb[at + 2] as number];
  return (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16;
}
