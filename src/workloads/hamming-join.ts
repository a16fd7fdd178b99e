// All pairs of 64-bit hashes within a small Hamming distance, by multi-index hashing.

/** 64-bit hashes as two columns of 32 bits. */
export interface Hashes {
  readonly length: number;
  readonly high: Uint32Array;
  readonly low: Uint32Array;
}

/** The largest distance that is searched for: up to here a probe flips one bit of a chunk at most. */
export const MAX_DISTANCE = 7;

const CHUNKS = [0, 1, 2, 3] as const;
const CHUNK_VALUES = 1 << 16;
/** Pairs that are compared one by one; above, two buckets are joined by their other chunks. */
const COMPARED_AT_ONCE = 1 << 18;

/**
 * Calls `found(a, b, distance)` for every pair of distinct hashes within `maxDistance` (0 to 7) of each other, at
 * least once. Norouzi, Punjani, Fleet, "Fast Search in Hamming Space with Multi-Index Hashing" (2012): two hashes
 * that differ in at most 7 bits differ in at most one bit of one of four chunks. Where many share a chunk (photos
 * are not random), the same argument is applied to their other chunks, with what is left of the distance; only
 * hashes that differ in nothing but one chunk, so at most 65,536 of them, are compared each with each.
 */
export function joinByDistance(
  hashes: Hashes,
  maxDistance: number,
  found: (a: number, b: number, distance: number) => void,
): void {
  const chunks = CHUNKS.map((chunk) => chunkColumn(hashes, chunk));
  const all = Uint32Array.from({ length: hashes.length }, (_, i) => i);
  join(all, all, CHUNKS, maxDistance);

  function join(left: Uint32Array, right: Uint32Array, open: readonly number[], distance: number): void {
    if (left.length * right.length <= COMPARED_AT_ONCE || open.length === 1) {
      compare(left, right);
      return;
    }
    const radius = Math.floor(distance / open.length);
    for (const chunk of open) {
      const column = chunks[chunk] as Uint16Array;
      const others = open.filter((other) => other !== chunk);
      const a = bucketsOf(left, column);
      const b = left === right ? a : bucketsOf(right, column);
      for (const value of a.values)
        for (const mask of masksWithin(radius)) {
          const other = value ^ mask;
          if (left === right && other < value) continue;
          const bucket = b.at(other);
          if (bucket.length === 0) continue;
          const own = left === right && other === value ? bucket : a.at(value);
          join(own, bucket, others, distance - bits(mask));
        }
    }
  }

  function compare(left: Uint32Array, right: Uint32Array): void {
    const { high, low } = hashes;
    for (let i = 0; i < left.length; i++) {
      const a = left[i] as number;
      const highA = high[a] as number;
      const lowA = low[a] as number;
      for (let j = left === right ? i + 1 : 0; j < right.length; j++) {
        const b = right[j] as number;
        const distance = bits(highA ^ (high[b] as number)) + bits(lowA ^ (low[b] as number));
        if (distance <= maxDistance) found(a, b, distance);
      }
    }
  }
}

function chunkColumn({ length, high, low }: Hashes, chunk: number): Uint16Array {
  const words = chunk < 2 ? high : low;
  const shift = chunk % 2 === 0 ? 16 : 0;
  const column = new Uint16Array(length);
  for (let i = 0; i < length; i++) column[i] = (words[i] as number) >>> shift;
  return column;
}

/** Members by their chunk's value, in one pass of counting sort. */
function bucketsOf(members: Uint32Array, column: Uint16Array) {
  const ends = new Uint32Array(CHUNK_VALUES + 1);
  for (const member of members) add(ends, (column[member] as number) + 1, 1);
  const values: number[] = [];
  for (let value = 0; value < CHUNK_VALUES; value++) {
    if (ends[value + 1] !== 0) values.push(value);
    add(ends, value + 1, ends[value] as number);
  }
  const sorted = new Uint32Array(members.length);
  const next = ends.slice();
  for (const member of members) sorted[add(next, column[member] as number, 1) - 1] = member;
  return { values, at: (value: number) => sorted.subarray(ends[value], ends[value + 1]) };
}

function add(counts: Uint32Array, index: number, by: number): number {
  const sum = (counts[index] as number) + by;
  counts[index] = sum;
  return sum;
}

const masks: number[][] = [];

/** The 16-bit numbers of at most `radius` bits. */
function masksWithin(radius: number): readonly number[] {
  masks[radius] ??= Array.from({ length: CHUNK_VALUES }, (_, mask) => mask).filter((m) => bits(m) <= radius);
  return masks[radius];
}

/** How many bits of a 32-bit word are set: Warren, "Hacker's Delight", 5-1. */
function bits(word: number): number {
  let n = word - ((word >>> 1) & 0x55555555);
  n = (n & 0x33333333) + ((n >>> 2) & 0x33333333);
  return Math.imul((n + (n >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
