// What ONNX Runtime computes once and for all when it loads a graph: nodes whose inputs are all constant (constant
// folding, https://onnxruntime.ai/docs/performance/model-optimizations/graph-optimizations.html). Known here are the
// operators that can make something larger than what it is made of, and those on the way to them.
import { bytesOf, elementCount, elementType } from './element-types.js';
import { MAX_RANK } from './limits.js';

/** A tensor that is known before the graph runs. */
export interface Constant {
  /** Of `TensorProto.DataType`. */
  readonly typeNumber: number;
  readonly dims: readonly number[];
  readonly bytes: number;
  /** Its elements, where they are whole numbers, and few. */
  readonly integers: readonly number[] | undefined;
}

export interface Attribute {
  integer: number | undefined;
  readonly integers: number[];
  tensor: Constant | undefined;
}

/** Those that rules below read. */
export const FOLDING_ATTRIBUTES: ReadonlySet<string> = new Set([
  ...['axes', 'axis', 'end', 'perm', 'start', 'to', 'value'],
]);

export interface FoldingNode {
  /** Of ONNX's own domain; `''` for an operator of another. */
  readonly operator: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Of {@link FOLDING_ATTRIBUTES}. */
  readonly attributes: ReadonlyMap<string, Attribute>;
}

/** Elements that are looked at: more than a shape has dimensions. */
export const MAX_INTEGERS = MAX_RANK;
/** A node with a larger output is left as it is (`optimization.constant_folding_max_output_size_in_bytes`). */
const MAX_FOLDED_BYTES = 2 ** 30;

const FLOAT32 = 1;
const UINT8 = 2;
const INT64 = 7;
const BOOL = 9;

type Rule = (inputs: readonly Constant[], node: FoldingNode) => Constant | undefined;

/** What a node makes of constants; undefined where that is not known, or too large to be made ahead. */
export function fold(node: FoldingNode, inputs: readonly Constant[]): Constant | undefined {
  const made = RULES.get(node.operator)?.(inputs, node);
  return made && made.bytes <= MAX_FOLDED_BYTES ? made : undefined;
}

function make(
  typeNumber: number,
  dims: readonly number[],
  integers?: readonly number[],
): Constant | undefined {
  const type = elementType(typeNumber);
  const count = dims.length <= MAX_RANK && dims.every((size) => size >= 0) ? elementCount(dims) : undefined;
  if (!type || count === undefined) return undefined;
  const known = integers?.length === count && count <= MAX_INTEGERS ? integers : undefined;
  return { typeNumber, dims, bytes: bytesOf(type, count), integers: known };
}

const alike: Rule = ([x]) => x && make(x.typeNumber, x.dims);

const broadcast =
  (typeOf: (inputs: readonly Constant[]) => number | undefined): Rule =>
  (inputs) => {
    const typeNumber = typeOf(inputs);
    const rank = Math.max(...inputs.map(({ dims }) => dims.length));
    const dims = Array.from({ length: rank }, (_, axis) =>
      inputs.reduce((size, { dims: own }) => stretch(size, own[axis - rank + own.length] ?? 1), 1),
    );
    return typeNumber === undefined ? undefined : make(typeNumber, dims);
  };
const stretch = (a: number, b: number) => (a === 1 ? b : a);

const reshape: Rule = ([x, shape]) => {
  if (!x || !shape?.integers) return undefined;
  const dims = shape.integers.map((size, axis) => (size === 0 ? (x.dims[axis] ?? 0) : size));
  const known = dims.reduce((product, size) => (size < 0 ? product : product * size), 1);
  const count = x.dims.reduce((product, size) => product * size, 1);
  return make(
    x.typeNumber,
    dims.map((size) => (size < 0 ? count / known : size)),
    x.integers,
  );
};

/** Dimensions of 1 at `axes`, which count from the end where negative. */
const unsqueeze: Rule = ([x, given], node) => {
  const axes = given?.integers ?? node.attributes.get('axes')?.integers;
  if (!x || !axes) return undefined;
  const rank = x.dims.length + axes.length;
  const at = new Set(axes.map((axis) => (axis < 0 ? axis + rank : axis)));
  const rest = [...x.dims];
  const dims = Array.from({ length: rank }, (_, axis) => (at.has(axis) ? 1 : (rest.shift() ?? 1)));
  return make(x.typeNumber, dims, x.integers);
};

const squeeze: Rule = ([x, given], node) => {
  if (!x) return undefined;
  const axes = given?.integers ?? node.attributes.get('axes')?.integers;
  const at = axes && new Set(axes.map((axis) => (axis < 0 ? axis + x.dims.length : axis)));
  const dims = x.dims.filter((size, axis) => (at ? !at.has(axis) : size !== 1));
  return make(x.typeNumber, dims, x.integers);
};

const transpose: Rule = ([x], node) => {
  if (!x) return undefined;
  const order = node.attributes.get('perm')?.integers ?? x.dims.map((_, axis) => x.dims.length - 1 - axis);
  return make(
    x.typeNumber,
    order.map((axis) => x.dims[axis] ?? 1),
  );
};

const concat: Rule = (inputs, node) => {
  const [first] = inputs;
  const given = node.attributes.get('axis')?.integer ?? 0;
  const axis = given < 0 ? given + (first?.dims.length ?? 0) : given;
  if (!first) return undefined;
  const along = inputs.reduce((sum, { dims }) => sum + (dims[axis] ?? 0), 0);
  const integers = inputs.every((input) => input.integers)
    ? inputs.flatMap((input) => input.integers ?? [])
    : undefined;
  const dims = first.dims.map((size, at) => (at === axis ? along : size));
  return make(first.typeNumber, dims, first.dims.length === 1 ? integers : undefined);
};

const gather: Rule = ([x, indices], node) => {
  const given = node.attributes.get('axis')?.integer ?? 0;
  if (!x || !indices) return undefined;
  const axis = given < 0 ? given + x.dims.length : given;
  const { integers = [] } = x;
  const picked =
    x.dims.length === 1 ? indices.integers?.map((at) => integers.at(at) ?? Number.NaN) : undefined;
  const dims = [...x.dims.slice(0, axis), ...indices.dims, ...x.dims.slice(axis + 1)];
  return make(x.typeNumber, dims, picked?.every(Number.isInteger) ? picked : undefined);
};

const expand: Rule = ([x, shape]) => {
  if (!x || !shape?.integers) return undefined;
  const to = { ...x, dims: shape.integers };
  return broadcast(() => x.typeNumber)([x, to], NOTHING);
};

const tile: Rule = ([x, repeats]) =>
  x &&
  repeats?.integers &&
  make(
    x.typeNumber,
    x.dims.map((size, axis) => size * (repeats.integers?.[axis] ?? 1)),
  );

const constantOfShape: Rule = ([shape], node) =>
  shape?.integers && make(node.attributes.get('value')?.tensor?.typeNumber ?? FLOAT32, shape.integers);

/** The product of matrices, and of stacks of them. */
const matMul: Rule = ([a, b]) => {
  const columns = b?.dims.at(-1);
  if (!a || !b || columns === undefined || a.dims.length < 2 || b.dims.length < 2) return undefined;
  const stacks = [a, b].map((side) => ({ ...side, dims: side.dims.slice(0, -2) }));
  const stack = broadcast(() => a.typeNumber)(stacks, NOTHING);
  return stack && make(a.typeNumber, [...stack.dims, a.dims.at(-2) ?? 1, columns]);
};

const NOTHING: FoldingNode = { operator: '', inputs: [], outputs: [], attributes: new Map() };

const UNARY =
  'Abs Ceil Clip Cos CumSum Elu Erf Exp Floor HardSigmoid LeakyRelu Log Neg Not PRelu Reciprocal Relu Round Sigmoid Sign Sin Softmax Softplus Sqrt Tanh Trilu';
const BINARY = 'Add And BitwiseAnd BitwiseOr Div Max Mean Min Mod Mul Or Pow Sub Sum Xor';
const COMPARISON = 'Equal Greater GreaterOrEqual Less LessOrEqual';
const each = (names: string, rule: Rule) => names.split(' ').map((name) => [name, rule] as const);

/** Not among them: DequantizeLinear, which ONNX Runtime leaves to the kernels that compute with integers. */
const RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ...each(UNARY, alike),
  ...each(
    BINARY,
    broadcast(([x]) => x?.typeNumber),
  ),
  ...each(
    COMPARISON,
    broadcast(() => BOOL),
  ),
  ['Where', broadcast(([, x]) => x?.typeNumber)],
  ['QuantizeLinear', ([x, , zero]) => x && make(zero?.typeNumber ?? UINT8, x.dims)],
  ['Constant', (_, node) => node.attributes.get('value')?.tensor],
  ['Identity', ([x]) => x],
  ['Cast', ([x], node) => x && make(node.attributes.get('to')?.integer ?? 0, x.dims, x.integers)],
  ['Shape', ([x], { attributes }) => (x && attributes.size === 0 ? shapeOf(x) : undefined)],
  ['Reshape', reshape],
  ['Unsqueeze', unsqueeze],
  ['Squeeze', squeeze],
  ['Transpose', transpose],
  ['Concat', concat],
  ['Gather', gather],
  ['Expand', expand],
  ['Tile', tile],
  ['ConstantOfShape', constantOfShape],
  ['MatMul', matMul],
]);

function shapeOf({ dims }: Constant): Constant | undefined {
  return make(INT64, [dims.length], dims);
}
