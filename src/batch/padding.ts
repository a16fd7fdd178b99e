// Items of several lengths in one batch: the shorter are padded, and their outputs cut back.
import type { Tensor } from '../contract/index.js';
import { invalidArgument, SpillwayError } from '../util/errors.js';
import { blankLike, copyBlock, elementsOf, filledLike } from './block.js';
import type { Joiner } from './joiner.js';
import { maskOf } from './mask.js';
import type { PaddingPlan } from './padding-plan.js';
import type { Item, Take } from './rows.js';

/** Joins items that differ in one length only, as the plan says. */
export class PaddedItems implements Joiner {
  readonly ragged = true;
  readonly #plan: PaddingPlan;

  constructor(plan: PaddingPlan) {
    this.#plan = plan;
  }

  laneOf(item: Item): string {
    return Object.keys(item)
      .sort()
      .map((name) => {
        const { type, dims } = item[name] as Tensor;
        return `${name}:${type}[${dims.map((size, axis) => (axis === this.#axisOf(name) ? '*' : size)).join()}]`;
      })
      .join(' ');
  }

  /** Throws `ERR_INVALID_ARGUMENT` where an input is missing, has no such dimension, or another length than the rest. */
  lengthOf(item: Item): number {
    const { inputs, mask } = this.#plan;
    if (mask && item[mask.input])
      throw invalidArgument(mask.input, 'no tensor, since the batcher makes the mask', 'one');
    let common: number | undefined;
    for (const [name, { axis }] of Object.entries(inputs)) {
      const length = item[name]?.dims[axis];
      if (length === undefined) throw invalidArgument(name, `a tensor with a dimension ${axis}`, item[name]);
      common ??= length;
      if (length !== common) throw invalidArgument(name, `the length ${common}, as its item has`, length);
    }
    return common as number;
  }

  join(items: readonly Item[], take: Take): Record<string, Tensor> {
    const lengths = items.map((item) => this.lengthOf(item));
    const longest = Math.max(...lengths);
    const names = Object.keys(items[0] as Item);
    const feeds = Object.fromEntries(
      names.map((name) => [
        name,
        this.#stack(
          name,
          items.map((item) => item[name] as Tensor),
          longest,
          take,
        ),
      ]),
    );
    const { mask } = this.#plan;
    return mask ? { ...feeds, [mask.input]: maskOf(mask.type, lengths, longest) } : feeds;
  }

  split(outputs: Item, items: readonly Item[]): Item[] {
    const lengths = items.map((item) => this.lengthOf(item));
    const longest = Math.max(...lengths);
    return lengths.map((length, row) =>
      Object.fromEntries(
        Object.entries(outputs).map(([name, tensor]) => {
          const axes = this.#plan.outputs[name] ?? [];
          checkOutput(name, tensor, axes, { rows: items.length, longest });
          return [name, cut(tensor, axes, row, length)];
        }),
      ),
    );
  }

  #axisOf(name: string): number | undefined {
    return this.#plan.inputs[name]?.axis;
  }

  #stack(name: string, tensors: readonly Tensor[], longest: number, take: Take): Tensor {
    const { type, dims, data } = tensors[0] as Tensor;
    const { axis, value } = this.#plan.inputs[name] ?? { axis: undefined, value: 0 };
    const row = dims.map((size, i) => (i === axis ? longest : size));
    const step = elementsOf(row);
    const joined = filledLike(data, tensors.length * step, value, take);
    for (const [i, tensor] of tensors.entries())
      copyBlock({ ...tensor, at: 0 }, { data: joined, at: i * step, dims: row }, tensor.dims);
    return { type, dims: [tensors.length, ...row.slice(1)], data: joined };
  }
}

function checkOutput(
  name: string,
  { dims }: Tensor,
  axes: readonly number[],
  { rows, longest }: { rows: number; longest: number },
): void {
  if (dims[0] === rows && axes.every((axis) => dims[axis] === longest)) return;
  const expected = dims.map((size, axis) => (axis === 0 ? rows : axes.includes(axis) ? longest : size));
  throw new SpillwayError(
    'ERR_MODEL_REJECTED',
    `expected the output ${name} of ${rows} items of up to ${longest} tokens to be [${expected.join()}] but it is [${dims.join()}]: it cannot be cut back to each item`,
  );
}

function cut({ type, dims, data }: Tensor, axes: readonly number[], row: number, length: number): Tensor {
  const own = dims.map((size, axis) => (axis === 0 ? 1 : axes.includes(axis) ? length : size));
  const step = elementsOf(dims, 1);
  const cutOut = blankLike(data, elementsOf(own));
  const whole = [1, ...dims.slice(1)];
  copyBlock({ data, at: row * step, dims: whole }, { data: cutOut, at: 0, dims: own }, own);
  return { type, dims: own, data: cutOut };
}
