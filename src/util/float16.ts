// Half-precision numbers as their bits (IEEE 754 binary16): Node 20 has no Float16Array.

const exponentBits = new DataView(new ArrayBuffer(8));

/** The bits of the half nearest to `value`, ties to even. */
export function toFloat16(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (Number.isNaN(size)) return 0x7e00;
  // Halfway between the largest half, 65504, and what would come next.
  if (size >= 65520) return sign | 0x7c00;
  exponentBits.setFloat64(0, size);
  const exponent = Math.max(((exponentBits.getUint16(0) >> 4) & 0x7ff) - 1023, -14);
  // Dividing by a power of two is exact. A carry out of the ten bits ends in the exponent, where it belongs.
  return sign | ((exponent + 14) * 1024 + roundToEven(size / 2 ** (exponent - 10)));
}

/** The number that the bits of a half stand for. */
export function fromFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function roundToEven(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 === 1 ? rounded - 1 : rounded;
}
