// How many files to prepare at once and how many to run through a model at once, from what there is room for.
import { invalidArgument } from '../util/errors.js';
import { kneeOf } from '../util/knee.js';
import { formatSize, parseSize, type Size } from '../util/sizes.js';

/** The work to be done. */
export interface WorkSize {
  /** Items. */
  readonly count: number;
  /** Of a file as it lies on disk. */
  readonly meanBytes: Size;
  /**
   * What one item in work takes at its peak, its own bytes included, ÷ `meanBytes`. Default 8: a photo of 12
   * megapixels is a JPEG of about 5 MB and 36 MB decoded whole. 1 for what is used as it is read.
   */
  readonly decodeFactor?: number;
  /** What batches of the model take, where that is known: `stats().fit` of a batcher that has run some. */
  readonly fit?: MeasuredBatches | undefined;
}

/** Milliseconds, and bytes beyond the loaded model. */
export interface MeasuredBatches {
  readonly msPerUnit: number;
  readonly msPerRun: number;
  readonly bytesPerUnit?: number | undefined;
}

/** What there is to do it with. */
export interface Means {
  /** Bytes that are free under the budget. */
  readonly headroomBytes: number;
  /** Cores this process may use. */
  readonly cores: number;
}

export interface Optimised {
  /** Files read and decoded at once. */
  readonly workers: number;
  /** Items a model is given at once. */
  readonly batchSize: number;
  /** One sentence: what bound each of them. */
  readonly reason: string;
}

const DECODE_FACTOR = 8;
/** Where nothing was measured: four times the batch, from 32 to 128 items, made a perceptron of 6 × 2048 only 1.4 times as fast. */
const MOST_BATCH = 64;

/**
 * Half of the room goes to items being decoded, half to decoded ones that wait to be a batch. Both counts are at
 * least 1: an item that does not fit then waits for memory, or is refused. Throws `ERR_INVALID_ARGUMENT`.
 */
export function optimise(
  { count, meanBytes, decodeFactor = DECODE_FACTOR, fit }: WorkSize,
  means: Means,
): Optimised {
  if (!(Number.isInteger(count) && count >= 0))
    throw invalidArgument('count', 'a whole number of at least 0', count);
  if (!(Number.isFinite(decodeFactor) && decodeFactor > 0))
    throw invalidArgument('decodeFactor', 'a number above 0', decodeFactor);
  const itemBytes = Math.max(1, parseSize(meanBytes, 'meanBytes') * decodeFactor);
  const room = Math.max(0, means.headroomBytes);
  const about = `an item takes about ${formatSize(itemBytes)} and ${formatSize(room)} are free`;
  if (itemBytes > room)
    return {
      workers: 1,
      batchSize: 1,
      reason: `${about}: one at a time, which waits for memory or is refused`,
    };

  const workers = least([
    [means.cores, `the ${means.cores} cores`],
    [Math.floor(room / 2 / itemBytes), 'memory'],
    [count, `the ${count} items`],
  ]);
  const left = room - workers.value * itemBytes;
  const batch = least([
    fit ? [gainful(fit), 'what gained speed as measured'] : [MOST_BATCH, 'what still gains speed'],
    [Math.floor(left / (itemBytes + (fit?.bytesPerUnit ?? 0))), 'memory'],
    [count, `the ${count} items`],
  ]);
  return {
    workers: workers.value,
    batchSize: batch.value,
    reason: `${about}: ${workers.value} at once, bound by ${workers.by}; batches of ${batch.value}, bound by ${batch.by}`,
  };
}

/** Up to the knee of the measured line. */
function gainful({ msPerUnit, msPerRun }: MeasuredBatches): number {
  return Math.floor(kneeOf({ perUnit: msPerUnit, perRun: msPerRun }));
}

/** The smallest of the bounds, at least 1, and what it is called; of equals the first. */
function least(bounds: readonly (readonly [value: number, by: string])[]): { value: number; by: string } {
  const [value, by] = bounds.reduce((best, each) => (each[0] < best[0] ? each : best));
  return { value: Math.max(1, value), by };
}
