// What a graph says of a photo: the likeliest classes, or an embedding.
import type { Tensor } from '../contract/index.js';
import { invalidArgument, SpillwayError } from '../util/errors.js';
import { fromFloat16 } from '../util/float16.js';

export interface PhotoClass {
  /** Place in the graph's output, from 0. */
  readonly index: number;
  /** That line of the file of labels. */
  readonly label?: string;
  /** Probability, rounded to six decimals. */
  readonly score: number;
}

/** The likeliest classes, the first the likeliest. */
export interface PhotoClasses {
  readonly classes: readonly PhotoClass[];
}

/** The numbers of the output, each rounded to six significant digits, and how many there are. */
export interface PhotoEmbedding {
  readonly dimension: number;
  readonly embedding: readonly number[];
}

/** How an output is read: final values. */
export interface ReadingPlan {
  readonly output: string;
  /** `auto`: classes where there are labels or 1000 or 1001 numbers, else an embedding. */
  readonly result: 'auto' | 'classes' | 'embedding';
  readonly labels: readonly string[] | undefined;
  readonly top: number;
}

/** The classes of ImageNet, without and with one for the background. */
const IMAGENET_WIDTHS = [1000, 1001];
/** A photo's line would grow beyond what anybody reads: a map of pixels is no embedding. */
const MAX_NUMBERS = 65_536;
/** Halves sum up to 1 within this. */
const SUM_TOLERANCE = 0.01;

/**
 * Reads the row of one photo, [1, …] of float32, float64 or float16. Throws `ERR_MODEL_REJECTED` where it is too long,
 * `ERR_INVALID_ARGUMENT` where the labels are not as many, `ERR_NOT_FINITE` where a number is none: that is this photo's.
 */
export function readOutput(row: Tensor, plan: ReadingPlan): PhotoClasses | PhotoEmbedding {
  const { output, result, labels, top } = plan;
  const width = row.data.length;
  if (width === 0 || width > MAX_NUMBERS)
    throw new SpillwayError(
      'ERR_MODEL_REJECTED',
      `expected the output ${output} to hold 1 to ${MAX_NUMBERS} numbers for a photo but it holds ${width} [${row.dims.join()}]`,
    );
  const values = numbersOf(row);
  if (!values.every(Number.isFinite))
    throw new SpillwayError(
      'ERR_NOT_FINITE',
      `expected finite numbers in the output ${output} but some are not (overflow, or a division by zero in the graph)`,
    );
  const asClasses =
    result === 'auto' ? labels !== undefined || IMAGENET_WIDTHS.includes(width) : result === 'classes';
  if (!asClasses) return { dimension: width, embedding: Array.from(values, significant) };
  if (labels && labels.length !== width)
    throw invalidArgument(
      'photos.labels',
      `${width} labels, one for each number of the output ${output},`,
      labels.length,
    );
  return { classes: likeliest(probabilities(values), top, labels) };
}

/** The lines of a file of labels: the last line end counts for nothing. */
export function parseLabels(text: string): string[] {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  return lines.map((line) => line.trim());
}

/** Equal scores in order of their index. */
function likeliest(
  scores: Float64Array,
  top: number,
  labels: readonly string[] | undefined,
): readonly PhotoClass[] {
  const order = Array.from(scores.keys()).sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0) || a - b);
  return order.slice(0, top).map((index) => ({
    index,
    ...(labels && { label: labels[index] ?? '' }),
    score: Math.round((scores[index] ?? 0) * 1e6) / 1e6,
  }));
}

/** The values themselves where they are probabilities already, else their softmax. */
function probabilities(values: Float64Array): Float64Array {
  let sum = 0;
  let largest = Number.NEGATIVE_INFINITY;
  let least = Number.POSITIVE_INFINITY;
  for (const value of values) {
    sum += value;
    largest = Math.max(largest, value);
    least = Math.min(least, value);
  }
  if (least >= 0 && largest <= 1 && Math.abs(sum - 1) <= SUM_TOLERANCE) return values;
  // Less the largest, so that nothing overflows.
  const powers = values.map((value) => Math.exp(value - largest));
  const total = powers.reduce((all, power) => all + power, 0);
  return powers.map((power) => power / total);
}

function numbersOf({ type, data }: Tensor): Float64Array {
  const numbers = data as ArrayLike<number>;
  return type === 'float16' ? Float64Array.from(numbers, fromFloat16) : Float64Array.from(numbers);
}

/** Six digits: a float32 has seven, of which the last differs between batches. */
function significant(value: number): number {
  return Number(value.toPrecision(6));
}
