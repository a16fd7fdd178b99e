// The input that tells a graph which tokens of a padded batch are there.
import type { Tensor, TensorType } from '../contract/index.js';

/** Arrays of the types a mask may have. */
const MASKS = {
  int64: BigInt64Array,
  int32: Int32Array,
  float32: Float32Array,
  bool: Uint8Array,
} as const satisfies Partial<Record<TensorType, unknown>>;

export type MaskType = keyof typeof MASKS;

export function isMaskType(type: unknown): type is MaskType {
  return typeof type === 'string' && Object.hasOwn(MASKS, type);
}

/** Ones where there is something, [n, longest]. */
export function maskOf(type: MaskType, lengths: readonly number[], longest: number): Tensor {
  const data = new MASKS[type](lengths.length * longest);
  const one = data instanceof BigInt64Array ? 1n : 1;
  for (const [i, length] of lengths.entries())
    (data as { fill(value: unknown, from: number, to: number): unknown }).fill(
      one,
      i * longest,
      i * longest + length,
    );
  return { type, dims: [lengths.length, longest], data };
}
