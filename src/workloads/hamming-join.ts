// All pairs of 64-bit hashes within a small Hamming distance, by multi-index hashing.

/** 64-bit hashes as two columns of 32 bits, with a number for each. */
export interface Hashes {
  readonly ids: Uint32Array;
  readonly high: Uint32Array;
  readonly low: Uint32Array;
}

/** The largest distance that is searched for: up to here a probe flips one bit of a chunk at most. */
export const MAX_DISTANCE = 7;

type Found = (a: number, b: number, distance: number) => void;

const CHUNKS = [0, 1, 2, 3] as const;
const CHUNK_BITS = 16;
const CHUNK_VALUES = 1 << CHUNK_BITS;
/** Pairs that are compared one by one; above, two buckets are joined by their other chunks. */
const COMPARED_AT_ONCE = 1 << 18;

/**
 * Calls `found(a, b, distance)` at least once for every pair of hashes within `maxDistance` (0 to 7) of each other,
 * with their numbers. The hashes must differ. Norouzi, Punjani, Fleet, "Fast Search in Hamming Space with
 * Multi-Index Hashing" (2012): two hashes that differ in at most 7 bits differ in at most one bit of one of four
 * chunks. Where many share a chunk (photos are not random), the same argument is applied to their other chunks,
 * with what is left of the distance; only hashes that differ in nothing but one chunk, so at most 65,536 of them,
 * are compared each with each.
 */
export function joinByDistance(hashes: Hashes, maxDistance: number, found: Found): void {
  join(hashes, hashes, CHUNKS, maxDistance, (a, b, distance) => {
    if (distance <= maxDistance) found(a, b, distance);
  });
}

/** Joins by the chunks that are `open`; in these the hashes may differ by `distance`. */
function join(left: Hashes, right: Hashes, open: readonly number[], distance: number, compared: Found): void {
  const masks = masksWithin(Math.floor(distance / open.length));
  open.forEach((chunk, position) => {
    const a = sortByChunk(left, chunk);
    const b = left === right ? a : sortByChunk(right, chunk);
    const settled = open.slice(0, position);
    const rest = open.filter((other) => other !== chunk);
    for (const value of a.values) {
      const aStart = a.starts[value] as number;
      const aEnd = a.starts[value + 1] as number;
      for (const mask of masks) {
        const other = value ^ mask;
        const bStart = b.starts[other] as number;
        const bEnd = b.starts[other + 1] as number;
        if (bStart === bEnd || (a === b && other < value)) continue;
        if ((aEnd - aStart) * (bEnd - bStart) <= COMPARED_AT_ONCE || rest.length === 0) {
          compare(a, aStart, aEnd, b, bStart, bEnd, compared);
          continue;
        }
        const bucketA = slice(a, aStart, aEnd);
        const bucketB = a === b && other === value ? bucketA : slice(b, bStart, bEnd);
        // Pairs that share an earlier chunk have been joined under that.
        if (!settled.some((earlier) => shareChunk(bucketA, bucketB, earlier)))
          join(bucketA, bucketB, rest, distance - bits(mask), compared);
      }
    }
  });
}

/** Each of one range with each of the other; of the same range, each pair once. */
function compare(
  a: Hashes,
  aStart: number,
  aEnd: number,
  b: Hashes,
  bStart: number,
  bEnd: number,
  compared: Found,
): void {
  const same = a === b && aStart === bStart;
  for (let i = aStart; i < aEnd; i++) {
    const high = a.high[i] as number;
    const low = a.low[i] as number;
    for (let j = same ? i + 1 : bStart; j < bEnd; j++) {
      const distance = bits(high ^ (b.high[j] as number)) + bits(low ^ (b.low[j] as number));
      if (distance <= MAX_DISTANCE) compared(a.ids[i] as number, b.ids[j] as number, distance);
    }
  }
}

interface Buckets extends Hashes {
  /** The values that occur. */
  readonly values: readonly number[];
  /** Where the hashes of each value start; those of the next end there. */
  readonly starts: Uint32Array;
}

/** Copies the hashes in order of one chunk, by counting sort, so that a bucket lies in one piece. */
function sortByChunk({ ids, high, low }: Hashes, chunk: number): Buckets {
  const words = chunk < 2 ? high : low;
  const shift = chunk % 2 === 0 ? 16 : 0;
  const starts = new Uint32Array(CHUNK_VALUES + 1);
  for (let i = 0; i < words.length; i++) increment(starts, (((words[i] as number) >>> shift) & 0xffff) + 1);
  const values: number[] = [];
  for (let value = 0; value < CHUNK_VALUES; value++) {
    const count = starts[value + 1] as number;
    if (count > 0) values.push(value);
    starts[value + 1] = count + (starts[value] as number);
  }
  const sorted = allocate(ids.length);
  const next = starts.slice();
  for (let i = 0; i < ids.length; i++) {
    const to = increment(next, ((words[i] as number) >>> shift) & 0xffff);
    sorted.ids[to] = ids[i] as number;
    sorted.high[to] = high[i] as number;
    sorted.low[to] = low[i] as number;
  }
  return { ...sorted, values, starts };
}

function shareChunk(a: Hashes, b: Hashes, chunk: number): boolean {
  const shift = chunk % 2 === 0 ? 16 : 0;
  const [wordsA, wordsB] = chunk < 2 ? [a.high, b.high] : [a.low, b.low];
  const value = (wordsA[0] as number) >>> shift;
  const shares = (word: number) => ((word >>> shift) & 0xffff) === (value & 0xffff);
  return wordsA.every(shares) && wordsB.every(shares);
}

function slice({ ids, high, low }: Hashes, start: number, end: number): Hashes {
  return { ids: ids.subarray(start, end), high: high.subarray(start, end), low: low.subarray(start, end) };
}

function allocate(length: number) {
  return { ids: new Uint32Array(length), high: new Uint32Array(length), low: new Uint32Array(length) };
}

/** Returns the count of before. */
function increment(counts: Uint32Array, index: number): number {
  const count = counts[index] as number;
  counts[index] = count + 1;
  return count;
}

/** The 16-bit numbers of at most `radius` bits. */
function masksWithin(radius: number): readonly number[] {
  const masks = [0];
  let ring = masks;
  for (let bitsSet = 1; bitsSet <= radius; bitsSet++) {
    ring = ring.flatMap(withOneMoreBit);
    masks.push(...ring);
  }
  return masks;
}

/** `mask` with each bit above its highest, so that every number comes of one other. */
function withOneMoreBit(mask: number): number[] {
  const first = 32 - Math.clz32(mask);
  return Array.from({ length: CHUNK_BITS - first }, (_, i) => mask | (1 << (first + i)));
}

/** How many bits of a 32-bit word are set: Warren, "Hacker's Delight", 5-1. */
function bits(word: number): number {
  let n = word - ((word >>> 1) & 0x55555555);
  n = (n & 0x33333333) + ((n >>> 2) & 0x33333333);
  return Math.imul((n + (n >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
