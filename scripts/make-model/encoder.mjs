// Writes ONNX graphs: the few protobuf messages of onnx.proto3 that a graph needs, field numbers beside each.

/** Element types by ONNX Runtime's names: their number in `TensorProto.DataType`, and the array that holds them. */
const ELEMENTS = {
  float32: { type: 1, array: Float32Array },
  uint8: { type: 2, array: Uint8Array },
  int8: { type: 3, array: Int8Array },
  uint16: { type: 4, array: Uint16Array },
  int16: { type: 5, array: Int16Array },
  int32: { type: 6, array: Int32Array },
  int64: { type: 7, array: BigInt64Array },
  string: { type: 8, array: Array },
  bool: { type: 9, array: Uint8Array },
  float16: { type: 10, array: Uint16Array },
  float64: { type: 11, array: Float64Array },
  uint32: { type: 12, array: Uint32Array },
  uint64: { type: 13, array: BigUint64Array },
};

/**
 * @typedef {keyof typeof ELEMENTS} ElementType
 * @typedef {{ name: string, type: ElementType, dims: readonly (number | string)[] }} ValueInfo a dimension that
 *   is a string is free, and that is its name
 * @typedef {{ type: ElementType, dims: readonly number[], data: readonly number[] | ArrayLike<number>,
 *   external?: string }} Tensor with `external`, the raw bytes are in the file of that name beside the graph
 * @typedef {number | string | Tensor | readonly number[] | { float: number }} Attribute a bare number is an
 *   integer, a list is a list of integers; `{ float }` is a float
 * @typedef {{ op: string, inputs: readonly string[], outputs: readonly string[], attributes?: Record<string, Attribute> }} Node
 * @typedef {{ name: string, inputs: readonly ValueInfo[], outputs: readonly ValueInfo[], nodes: readonly Node[],
 *   constants: Readonly<Record<string, Tensor>>, opset?: number }} Graph
 */

/** The number of an element type, for the attribute `to` of Cast. @param {ElementType} type */
export const elementNumber = (type) => ELEMENTS[type].type;

/**
 * The bytes of a `ModelProto` that holds this one graph.
 * @param {Graph} graph
 * @returns {Uint8Array}
 */
export function encodeModel({ name, inputs, outputs, nodes, constants, opset = 17 }) {
  const graph = Buffer.concat([
    ...nodes.map((node, index) => message(1, encodeNode(node, index))),
    text(2, name),
    ...Object.entries(constants).map(([key, tensor]) => message(5, encodeTensor(tensor, key))),
    ...inputs.map((value) => message(11, encodeValueInfo(value))),
    ...outputs.map((value) => message(12, encodeValueInfo(value))),
  ]);
  // ir_version 8 is the one that came with opset 15 to 18.
  return Buffer.concat([
    integer(1, 8),
    text(2, 'spillway'),
    message(7, graph),
    message(8, integer(2, opset)),
  ]);
}

/** @param {Node} node @param {number} index */
function encodeNode({ op, inputs, outputs, attributes = {} }, index) {
  return Buffer.concat([
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
    text(3, `${op}_${index}`),
    text(4, op),
    ...Object.entries(attributes).map(([name, value]) => message(5, encodeAttribute(name, value))),
  ]);
}

/** `type` (field 20) says which of the value's fields counts. @param {string} name @param {Attribute} value */
function encodeAttribute(name, value) {
  const as = (/** @type {Buffer} */ encoded, /** @type {number} */ type) =>
    Buffer.concat([text(1, name), encoded, integer(20, type)]);
  if (typeof value === 'number') return as(integer(3, value), 2);
  if (typeof value === 'string') return as(text(4, value), 3);
  if ('float' in value) return as(float(2, value.float), 1);
  if ('dims' in value) return as(message(5, encodeTensor(value)), 4);
  return as(Buffer.concat(value.map((item) => integer(8, item))), 7);
}

/** @param {Tensor} tensor @param {string} [name] */
function encodeTensor({ type, dims, data, external }, name) {
  const { type: number, array } = ELEMENTS[type];
  const elements =
    array === BigInt64Array ? BigInt64Array.from(data, BigInt) : /** @type {any} */ (array).from(data);
  const expected = dims.reduce((product, size) => product * size, 1);
  if (elements.length !== expected)
    throw new Error(`expected ${expected} elements for ${name} [${dims}] but received ${elements.length}`);
  return Buffer.concat([
    ...dims.map((size) => integer(1, size)),
    integer(2, number),
    ...(name === undefined ? [] : [text(8, name)]),
    ...(external === undefined
      ? [message(9, Buffer.from(elements.buffer))]
      : [message(13, Buffer.concat([text(1, 'location'), text(2, external)])), integer(14, 1)]),
  ]);
}

/** `TypeProto.tensor_type` with its element type and shape. @param {ValueInfo} value */
function encodeValueInfo({ name, type, dims }) {
  const shape = dims.map((size) => message(1, typeof size === 'number' ? integer(1, size) : text(2, size)));
  const tensor = Buffer.concat([integer(1, ELEMENTS[type].type), message(2, Buffer.concat(shape))]);
  return Buffer.concat([text(1, name), message(2, message(1, tensor))]);
}

/** A field of wire type 0. Negative numbers take ten bytes, as protobuf's int64 does. */
export function integer(/** @type {number} */ field, /** @type {number} */ value) {
  return Buffer.concat([varint(field << 3), varint(value)]);
}

/** A field of wire type 2. */
export function message(/** @type {number} */ field, /** @type {Uint8Array} */ bytes) {
  return Buffer.concat([varint((field << 3) | 2), varint(bytes.length), bytes]);
}

export function text(/** @type {number} */ field, /** @type {string} */ value) {
  return message(field, Buffer.from(value));
}

/** A field of wire type 5. */
function float(/** @type {number} */ field, /** @type {number} */ value) {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return Buffer.concat([varint((field << 3) | 5), bytes]);
}

function varint(/** @type {number} */ value) {
  const bytes = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Buffer.from([...bytes, Number(rest)]);
}
