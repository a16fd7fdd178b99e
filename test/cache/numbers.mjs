// The value that belongs to a number, of a length that the number decides: mostly small, some in files of their own.

/** @param {number} number */
export function valueFor(number) {
  const length = number % 11 === 0 ? 20_000 + (number % 5) * 30_000 : (number % 50) * 8;
  const value = new Uint8Array(8 + length).fill(number % 251);
  new DataView(value.buffer).setFloat64(0, number);
  return value;
}
