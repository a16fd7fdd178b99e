// The element types of `TensorProto.DataType` (onnx.proto3) and the room they take.

/** Fields of `TensorProto` that hold elements, raw bytes excepted. */
export const TYPED_DATA = { float: 4, int32: 5, string: 6, int64: 7, double: 10, uint64: 11 } as const;

export interface ElementType {
  readonly name: string;
  readonly bits: number;
  /** The field that holds its elements where they are not raw. */
  readonly field: number;
  /** Entries of that field for one element: two for complex numbers, less than one for packed ones. */
  readonly entries: number;
}

/** What a `std::string` takes beside its text: ONNX Runtime keeps one for each element. */
const STRING_BITS = 32 * 8;

function type(name: string, bits: number, data: keyof typeof TYPED_DATA, entries = 1): ElementType {
  return { name, bits, field: TYPED_DATA[data], entries };
}

const TYPES: readonly (ElementType | undefined)[] = [
  undefined,
  type('float32', 32, 'float'),
  type('uint8', 8, 'int32'),
  type('int8', 8, 'int32'),
  type('uint16', 16, 'int32'),
  type('int16', 16, 'int32'),
  type('int32', 32, 'int32'),
  type('int64', 64, 'int64'),
  type('string', STRING_BITS, 'string'),
  type('bool', 8, 'int32'),
  type('float16', 16, 'int32'),
  type('float64', 64, 'double'),
  type('uint32', 32, 'uint64'),
  type('uint64', 64, 'uint64'),
  type('complex64', 64, 'float', 2),
  type('complex128', 128, 'double', 2),
  type('bfloat16', 16, 'int32'),
  type('float8e4m3fn', 8, 'int32'),
  type('float8e4m3fnuz', 8, 'int32'),
  type('float8e5m2', 8, 'int32'),
  type('float8e5m2fnuz', 8, 'int32'),
  type('uint4', 4, 'int32', 1 / 2),
  type('int4', 4, 'int32', 1 / 2),
  type('float4e2m1', 4, 'int32', 1 / 2),
  type('float8e8m0', 8, 'int32'),
  type('uint2', 2, 'int32', 1 / 4),
  type('int2', 2, 'int32', 1 / 4),
];

/** The type with this number; undefined for a number that is none. */
export function elementType(number: number): ElementType | undefined {
  return TYPES[number];
}

/** Elements of a tensor; undefined where the dims are negative, or their product is no number of bytes. */
export function elementCount(dims: readonly number[]): number | undefined {
  // A varint beyond 2^53 is either absurd or negative: protobuf writes -1 as 2^64 - 1.
  if (dims.some((size) => size > Number.MAX_SAFE_INTEGER)) return undefined;
  if (dims.includes(0)) return 0;
  const count = dims.reduce((product, size) => product * size, 1);
  return count * 16 <= Number.MAX_SAFE_INTEGER ? count : undefined;
}

/** Bytes of `count` elements: in a file, and in memory. */
export function bytesOf({ bits }: ElementType, count: number): number {
  return Math.ceil((count * bits) / 8);
}
