// Copies a block out of the corner of one array of many dimensions into the corner of another.
import type { TensorElements } from '../contract/index.js';
import { emptyLike, isText, type Numeric, type Take } from './rows.js';

/** Elements in row-major order, and where to begin. */
export interface Placed {
  readonly data: TensorElements;
  readonly at: number;
  readonly dims: readonly number[];
}

/** Copies `block` elements along each dimension; both arrays are at least as large. */
export function copyBlock(from: Placed, to: Placed, block: readonly number[], axis = 0): void {
  const tail = elementsOf(block, axis + 1);
  const isWhole = tail === elementsOf(from.dims, axis + 1) && tail === elementsOf(to.dims, axis + 1);
  if (isWhole) {
    copyRun(from, to, (block[axis] ?? 1) * tail);
    return;
  }
  const [fromStep, toStep] = [elementsOf(from.dims, axis + 1), elementsOf(to.dims, axis + 1)];
  for (let i = 0; i < (block[axis] as number); i++)
    copyBlock({ ...from, at: from.at + i * fromStep }, { ...to, at: to.at + i * toStep }, block, axis + 1);
}

/** Of the dimensions from `axis` on. */
export function elementsOf(dims: readonly number[], axis = 0): number {
  return dims.slice(axis).reduce((product, size) => product * size, 1);
}

function copyRun(from: Placed, to: Placed, length: number): void {
  if (isText(from.data)) {
    const target = to.data as string[];
    for (let i = 0; i < length; i++) target[to.at + i] = from.data[from.at + i] as string;
  } else (to.data as Uint8Array).set((from.data as Uint8Array).subarray(from.at, from.at + length), to.at);
}

/** As many elements of the same kind, all `value`. */
export function filledLike(
  data: TensorElements,
  length: number,
  value: number | string,
  take: Take,
): TensorElements {
  if (isText(data)) return new Array<string>(length).fill(String(value));
  const filled = take(data, length);
  (filled as { fill(value: number | bigint): unknown }).fill(isBig(filled) ? BigInt(value) : Number(value));
  return filled;
}

/** As many elements of the same kind: zeros, or empty strings. */
export function blankLike(data: TensorElements, length: number): TensorElements {
  return isText(data) ? new Array<string>(length).fill('') : emptyLike(data, length);
}

function isBig(data: Numeric): data is BigInt64Array | BigUint64Array {
  return data instanceof BigInt64Array || data instanceof BigUint64Array;
}
