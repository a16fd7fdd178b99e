// Which weights of a graph its sessions can share.
import type { SharedWeights } from '../contract/index.js';
import type { ModelBytes } from './model-source.js';
import { elementType } from './vetting/element-types.js';
import { rawInitialisers } from './vetting/initialisers.js';

/** A smaller one is not worth a place in the table: a page. */
const SMALLEST = 4096;

/** What is shared, which may be nothing, and what of `kept.cpu` that is. */
export interface Sharing {
  readonly weights: SharedWeights;
  readonly keptBytes: number;
}

/** Data that is not raw, but a list of numbers, and elements of less than a byte, each session has for itself. */
export function sharingOf(model: ModelBytes): Sharing {
  const tensors = rawInitialisers(model.bytes).filter(
    ({ name, typeNumber, bytes }) =>
      bytes >= SMALLEST && model.shareable.has(name) && (elementType(typeNumber)?.bits ?? 0) >= 8,
  );
  let packedBytes = 0;
  let keptBytes = 0;
  for (const { name } of tensors) {
    const { packed = 0, kept = 0 } = model.shareable.get(name) ?? {};
    packedBytes += packed;
    keptBytes += kept;
  }
  return { weights: { key: model.key, tensors, packedBytes }, keptBytes };
}

/** On a device with memory of its own, where weights are copies. */
export function sharingNothing(model: ModelBytes): Sharing {
  return { weights: { key: model.key, tensors: [], packedBytes: 0 }, keptBytes: 0 };
}
