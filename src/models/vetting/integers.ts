// Whole numbers of a few bytes: what shapes, axes and orders of axes are made of.
import { MAX_INTEGERS } from './folding.js';

const INT32 = 6;
const INT64 = 7;

/** Elements of int32 and int64 as they lie in raw data; undefined for other types. */
export function rawIntegers(typeNumber: number, bytes: Uint8Array): number[] | undefined {
  const width = typeNumber === INT64 ? 8 : typeNumber === INT32 ? 4 : undefined;
  if (!width || bytes.length > MAX_INTEGERS * width) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length / width }, (_, i) =>
    width === 8 ? Number(view.getBigInt64(i * 8, true)) : view.getInt32(i * 4, true),
  );
}

/** Varints one after another, in two's complement of 64 bits. */
export function varintIntegers(bytes: Uint8Array): number[] {
  const integers: number[] = [];
  let value = 0n;
  let shift = 0n;
  for (const byte of bytes) {
    value |= BigInt(byte & 127) << shift;
    shift += 7n;
    if (byte >= 128) continue;
    integers.push(Number(BigInt.asIntN(64, value)));
    value = shift = 0n;
  }
  return integers;
}
