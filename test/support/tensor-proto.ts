// Reads a tensor as the ONNX backend tests store it: `TensorProto` of onnx.proto3.
import type { Tensor, TensorType } from '../../src/contract/index.js';

/** By number in `TensorProto.DataType`: our name, and how the raw bytes become elements. */
const TYPES: Record<number, { type: TensorType; from(raw: ArrayBuffer): Tensor['data'] }> = {
  1: { type: 'float32', from: (raw) => new Float32Array(raw) },
  2: { type: 'uint8', from: (raw) => new Uint8Array(raw) },
  3: { type: 'int8', from: (raw) => new Int8Array(raw) },
  6: { type: 'int32', from: (raw) => new Int32Array(raw) },
  7: { type: 'int64', from: (raw) => new BigInt64Array(raw) },
  8: { type: 'string', from: () => [] },
  9: { type: 'bool', from: (raw) => new Uint8Array(raw) },
  11: { type: 'float64', from: (raw) => new Float64Array(raw) },
};

const FIELD = { dims: 1, dataType: 2, floatData: 4, int32Data: 5, stringData: 6, int64Data: 7, rawData: 9 };

/** Throws where the file holds something these tests have never needed. */
export function readTensorProto(bytes: Uint8Array): Tensor {
  const dims: number[] = [];
  const strings: string[] = [];
  const integers: bigint[] = [];
  let dataType = 0;
  let raw: Uint8Array = new Uint8Array(0);
  for (const { field, value } of fields(bytes)) {
    const numbers = () => (typeof value === 'bigint' ? [value] : varints(value));
    if (field === FIELD.dims) dims.push(...numbers().map(Number));
    else if (field === FIELD.dataType) dataType = Number(value);
    else if (field === FIELD.int32Data || field === FIELD.int64Data) integers.push(...numbers());
    else if (typeof value === 'bigint') continue;
    else if (field === FIELD.stringData) strings.push(Buffer.from(value).toString());
    else if (field === FIELD.rawData || field === FIELD.floatData) raw = value;
  }
  const known = TYPES[dataType];
  if (!known) throw new Error(`element type ${dataType} is not one this reader knows`);
  const { type, from } = known;
  if (type === 'string') return { type, dims, data: strings };
  if (integers.length > 0) return { type, dims, data: fromIntegers(type, integers) };
  return { type, dims, data: from(Uint8Array.from(raw).buffer) };
}

function fromIntegers(type: TensorType, integers: readonly bigint[]): Tensor['data'] {
  if (type === 'int64') return BigInt64Array.from(integers);
  return type === 'int32' ? Int32Array.from(integers, Number) : Uint8Array.from(integers, Number);
}

/** The fields of a message: varints as numbers, everything else as its bytes. */
function* fields(bytes: Uint8Array): Generator<{ field: number; value: bigint | Uint8Array }> {
  for (let at = 0; at < bytes.length; ) {
    const [key, afterKey] = varint(bytes, at);
    const field = Number(key >> 3n);
    const wire = Number(key & 7n);
    if (wire === 0) {
      const [value, next] = varint(bytes, afterKey);
      at = next;
      yield { field, value };
      continue;
    }
    const [length, start] = wire === 2 ? varint(bytes, afterKey) : [wire === 1 ? 8n : 4n, afterKey];
    at = start + Number(length);
    yield { field, value: bytes.subarray(start, at) };
  }
}

function varints(packed: Uint8Array): bigint[] {
  const values: bigint[] = [];
  for (let at = 0; at < packed.length; ) {
    const [value, next] = varint(packed, at);
    values.push(value);
    at = next;
  }
  return values;
}

/** A two's complement integer of up to ten bytes, and where the next field begins. */
function varint(bytes: Uint8Array, at: number): [bigint, number] {
  let value = 0n;
  for (let shift = 0n; ; shift += 7n) {
    const byte = bytes[at++];
    if (byte === undefined) throw new Error('the message ends inside a number');
    value |= BigInt(byte & 127) << shift;
    if (byte < 128) return [BigInt.asIntN(64, value), at];
  }
}
