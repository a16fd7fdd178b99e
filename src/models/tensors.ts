// Checks what is fed to a graph before it leaves JavaScript.
import type { Tensor, TensorType, ValueInfo } from '../contract/index.js';
import { invalidArgument } from '../util/errors.js';

/** The class of a tensor's elements; float16 as bits, bool as 0 and 1, strings in a plain array. */
const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
  string: Array,
} as const satisfies Record<TensorType, unknown>;

export function isTensorType(name: string): name is TensorType {
  return Object.hasOwn(ARRAYS, name);
}

/**
 * Pairs each input of the graph with its tensor. Throws `ERR_INVALID_ARGUMENT` naming the input whose tensor is
 * missing, unknown, or of another type, shape, or number of elements than the graph and its own dims say.
 */
export function checkFeeds(
  inputs: readonly ValueInfo[],
  feeds: Readonly<Record<string, Tensor>>,
): { name: string; tensor: Tensor }[] {
  for (const name of Object.keys(feeds))
    if (!inputs.some((input) => input.name === name))
      throw invalidArgument(
        'feeds',
        `inputs named ${inputs.map((input) => `'${input.name}'`).join(', ')}`,
        name,
      );
  return inputs.map((input) => {
    const tensor = feeds[input.name];
    checkTensor(input, tensor);
    return { name: input.name, tensor };
  });
}

/** The outputs to fetch: those asked for, else all. Throws `ERR_INVALID_ARGUMENT` for one the graph lacks. */
export function checkOutputs(names: readonly string[], wanted: readonly string[] | undefined): string[] {
  for (const name of wanted ?? [])
    if (!names.includes(name))
      throw invalidArgument(
        'outputs',
        `outputs named ${names.map((known) => `'${known}'`).join(', ')}`,
        name,
      );
  return [...(wanted ?? names)];
}

function checkTensor(input: ValueInfo, tensor: Tensor | undefined): asserts tensor is Tensor {
  const name = `feeds.${input.name}`;
  if (!tensor || !Array.isArray(tensor.dims))
    throw invalidArgument(name, 'a tensor { type, dims, data }', tensor);
  if (input.type !== undefined && tensor.type !== input.type)
    throw invalidArgument(`${name}.type`, `'${input.type}'`, tensor.type);
  const { type, dims, data } = tensor;
  if (!isTensorType(type)) throw invalidArgument(`${name}.type`, 'the name of an element type', type);
  if (!dimsMatch(input, dims))
    throw invalidArgument(`${name}.dims`, `dimensions [${input.dims.join(', ')}]`, `[${dims.join(', ')}]`);
  if (!(data instanceof ARRAYS[type])) throw invalidArgument(`${name}.data`, `a ${ARRAYS[type].name}`, data);
  const elements = dims.reduce((product, size) => product * size, 1);
  if (data.length !== elements)
    throw invalidArgument(`${name}.data`, `${elements} elements for [${dims.join(', ')}]`, data.length);
  if ('buffer' in data && data.buffer instanceof SharedArrayBuffer)
    throw invalidArgument(`${name}.data`, 'elements that no other thread can change', 'a SharedArrayBuffer');
}

/** A free dimension of the graph takes any size; a graph may also leave the shape open altogether. */
function dimsMatch(input: ValueInfo, dims: readonly number[]): boolean {
  if (!dims.every((size) => Number.isSafeInteger(size) && size >= 0)) return false;
  if (input.type === undefined) return true;
  return (
    dims.length === input.dims.length &&
    input.dims.every((size, index) => typeof size === 'string' || size === dims[index])
  );
}
