// Keys and values for caches, the same everywhere.
import { uniform } from '../../scripts/make-model/test-graphs.mjs';

/** 30 characters, as a path or a hash would have. @param {number} i */
export function keyOf(i) {
  return `photos/2026/album/img-${String(i).padStart(8, '0')}`;
}

/** @param {number} entries */
export function keysOf(entries) {
  return Array.from({ length: entries }, (_, i) => keyOf(i));
}

/** Which of `entries` is asked for, one after the other: at random. @param {number} length @param {number} entries */
export function order(length, entries) {
  const random = uniform(7);
  return Uint32Array.from({ length }, () => Math.floor(random() * entries));
}

/** A buffer that `fill` makes the value of any entry, so that making values costs nothing. @param {number} bytes */
export function valueBuffer(bytes) {
  const random = uniform(9);
  const value = Buffer.from(Uint8Array.from({ length: bytes }, () => random() * 256));
  return {
    /** Its number at both ends. @param {number} i */
    of(i) {
      value.writeUInt32LE(i, 0);
      value.writeUInt32LE(i, bytes - 4);
      return value;
    },
  };
}

/** What the numbers at both ends of a value say, or -1 where they disagree. @param {Uint8Array} value */
export function numberOf(value) {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  const first = view.getUint32(0, true);
  return first === view.getUint32(value.byteLength - 4, true) ? first : -1;
}
