// How items become a batch, and its outputs theirs again.
import type { Tensor } from '../contract/index.js';
import { type Item, ShapeNames, splitRows, stackItems, type Take } from './rows.js';

export interface Joiner {
  /** Equal for items that can share a batch. */
  laneOf(item: Item): string;
  /** Tokens of an item: its length where lengths vary. */
  lengthOf(item: Item): number;
  /** Whether items of one lane differ in length, and cost by it. */
  readonly ragged: boolean;
  /** In arrays that `take` gives, which are the joiner's until the batch has been split. */
  join(items: readonly Item[], take: Take): Record<string, Tensor>;
  /** Copies. Throws `ERR_MODEL_REJECTED` where they cannot be told apart. */
  split(outputs: Item, items: readonly Item[]): Item[];
}

/** Joins items of equal shapes only: nothing a graph computes can depend on what it shares a batch with. */
export class EqualShapes implements Joiner {
  readonly ragged = false;
  readonly #shapes = new ShapeNames();

  laneOf(item: Item): string {
    return this.#shapes.of(item);
  }

  /** The usual place of a sequence: [1, length, …]. */
  lengthOf(item: Item): number {
    for (const input in item) return item[input]?.dims[1] ?? 1;
    return 1;
  }

  join(items: readonly Item[], take: Take): Record<string, Tensor> {
    return stackItems(items, take);
  }

  split(outputs: Item, items: readonly Item[]): Item[] {
    return splitRows(outputs, items.length);
  }
}
