// Items into one batch and back: tensors are joined along their first dimension, outputs split along theirs.
import type { Tensor, TensorElements } from '../contract/index.js';
import { invalidArgument, SpillwayError } from '../util/errors.js';

/** The inputs of one item by name, or its outputs. */
export type Item = Readonly<Record<string, Tensor>>;
export type Numeric = Exclude<TensorElements, readonly string[]>;

/** Throws `ERR_INVALID_ARGUMENT` unless every tensor has a first dimension of 1, and as many elements as its dims say. */
export function checkItem(item: Item): void {
  for (const name of Object.keys(item)) {
    const { dims, data } = item[name] as Tensor;
    if (dims[0] !== 1)
      throw invalidArgument(name, 'a tensor of one item (first dimension 1)', `[${dims.join()}]`);
    const elements = dims.reduce((product, size) => product * size, 1);
    if (data.length !== elements)
      throw invalidArgument(`${name}.data`, `${elements} elements for [${dims.join()}]`, data.length);
  }
}

/** Names the shapes of items: equal for those that can be joined as they are. */
export class ShapeNames {
  #name = '';
  /** Of the item that was named last, whose like mostly comes next. */
  #shape: Readonly<Record<string, Omit<Tensor, 'data'>>> = {};
  #inputs = 0;

  of(item: Item): string {
    const inputs = Object.keys(item);
    if (inputs.length === this.#inputs && inputs.every((input) => isLike(item[input], this.#shape[input])))
      return this.#name;
    this.#inputs = inputs.length;
    // A copy: the dimensions are the caller's.
    this.#shape = Object.fromEntries(
      Object.entries(item).map(([input, { type, dims }]) => [input, { type, dims: [...dims] }]),
    );
    this.#name = inputs
      .sort()
      .map((input) => `${input}:${item[input]?.type}[${item[input]?.dims.join()}]`)
      .join(' ');
    return this.#name;
  }
}

type Shape = Omit<Tensor, 'data'> | undefined;

function isLike(a: Shape, b: Shape): boolean {
  return (
    a?.type === b?.type &&
    a?.dims.length === b?.dims.length &&
    (a?.dims.every((size, axis) => size === b?.dims[axis]) ?? true)
  );
}

/** Gives an array for elements of the same kind; what it holds is not defined. */
export type Take = (like: Numeric, length: number) => Numeric;

/** Joins items of one shape, input by input. */
export function stackItems(items: readonly Item[], take: Take): Record<string, Tensor> {
  const [first] = items;
  if (!first || items.length === 1) return { ...first };
  return Object.fromEntries(
    Object.keys(first).map((name) => [
      name,
      stack(
        items.map((item) => item[name] as Tensor),
        take,
      ),
    ]),
  );
}

/** The outputs of each of `rows` items, copied out. Throws `ERR_MODEL_REJECTED` for an output without a row for each. */
export function splitRows(outputs: Item, rows: number): Item[] {
  return Array.from({ length: rows }, (_, row) =>
    Object.fromEntries(
      Object.entries(outputs).map(([name, tensor]) => [name, rowOf(name, tensor, row, rows)]),
    ),
  );
}

/** A class of arrays. */
export interface Elements {
  readonly BYTES_PER_ELEMENT: number;
  new (length: number): Numeric;
  new (buffer: ArrayBuffer, byteOffset: number, length: number): Numeric;
}

/** Whose elements these are. A Buffer is a Uint8Array whose constructor must not be used. */
export function kindOf(data: Numeric): Elements {
  return (data instanceof Uint8Array ? Uint8Array : data.constructor) as Elements;
}

/** Zeros of the same kind. */
export function emptyLike(data: Numeric, length: number): Numeric {
  return new (kindOf(data))(length);
}

export function isText(data: TensorElements): data is readonly string[] {
  return Array.isArray(data);
}

function stack(tensors: readonly Tensor[], take: Take): Tensor {
  const { type, dims: own, data: model } = tensors[0] as Tensor;
  const dims = [tensors.length, ...own.slice(1)];
  if (isText(model)) return { type, dims, data: tensors.flatMap(({ data }) => data as readonly string[]) };
  const joined = take(model, tensors.length * model.length);
  let at = 0;
  for (const { data } of tensors) {
    (joined as Uint8Array).set(data as Uint8Array, at);
    at += data.length;
  }
  return { type, dims, data: joined };
}

function rowOf(name: string, { type, dims, data }: Tensor, row: number, rows: number): Tensor {
  if (dims[0] !== rows)
    throw new SpillwayError(
      'ERR_MODEL_REJECTED',
      `expected the output ${name} to have one row per item (${rows}) but its shape is [${dims.join()}]: the graph cannot be batched`,
    );
  const length = data.length / rows;
  return {
    type,
    dims: [1, ...dims.slice(1)],
    data: data.slice(row * length, (row + 1) * length) as TensorElements,
  };
}
