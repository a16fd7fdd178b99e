// Which photos show the same picture: groups of perceptual hashes that differ in few bits.

import { invalidArgument } from '../util/errors.js';
import { type Hashes, joinByDistance, MAX_DISTANCE } from './hamming-join.js';

export interface DuplicateGroup {
  /** At least two, sorted. */
  readonly paths: readonly string[];
  /** The largest distance between two of them that lie within the distance searched for. */
  readonly distance: number;
}

/**
 * Hashes of 63 bits, about half of them set, lie an even number of bits apart. By chance 5 are apart in one pair of
 * 4·10^12, so in a million photos less than one pair is linked wrongly; at 6 and 7 it would be a dozen. A copy that
 * was scaled or encoded anew is seldom more than 4 away.
 */
export const DEFAULT_MAX_DISTANCE = 5;

/** Collects the hashes of a run: 16 bytes and a path each, without an object per photo. */
export class NearDuplicateIndex {
  #length = 0;
  #high = new Uint32Array(64);
  #low = new Uint32Array(64);
  /** Where each path ends in `#paths`. */
  #ends = new Float64Array(64);
  #paths = new Uint8Array(4096);

  /** Photos added that had a hash. */
  get size(): number {
    return this.#length;
  }

  /** Bytes held, spare room included. {@link groups} needs up to 70 bytes a photo besides, for its own time. */
  get bytes(): number {
    return this.#high.byteLength + this.#low.byteLength + this.#ends.byteLength + this.#paths.byteLength;
  }

  /** Adds a photo by its path (raw bytes, or text) and its hash of 16 hexadecimal digits; without a hash it is left out. */
  add(path: Uint8Array | string, phash: string | null): void {
    if (phash === null) return;
    if (!/^[0-9a-f]{16}$/.test(phash)) throw invalidArgument('phash', '16 hexadecimal digits or null', phash);
    const bytes = typeof path === 'string' ? Buffer.from(path) : path;
    const start = this.#end(this.#length - 1);
    this.#grow(start + bytes.length);
    this.#paths.set(bytes, start);
    this.#ends[this.#length] = start + bytes.length;
    this.#high[this.#length] = Number.parseInt(phash.slice(0, 8), 16);
    this.#low[this.#length] = Number.parseInt(phash.slice(8), 16);
    this.#length++;
  }

  /**
   * Groups of photos linked by distances of at most `maxDistance` bits (0 to 7, default 5), directly or through
   * others, sorted by their first path. The order in which photos were added does not matter.
   */
  groups({ maxDistance = DEFAULT_MAX_DISTANCE }: { maxDistance?: number } = {}): DuplicateGroup[] {
    if (!Number.isInteger(maxDistance) || maxDistance < 0 || maxDistance > MAX_DISTANCE)
      throw invalidArgument('maxDistance', `an integer from 0 to ${MAX_DISTANCE}`, maxDistance);
    const { distinct, idOf } = this.#distinct();
    const sets = new DisjointSets(distinct.ids.length);
    joinByDistance(distinct, maxDistance, (a, b, distance) => sets.link(a, b, distance));
    const members = new Map<number, number[]>();
    const sizes = new Uint32Array(distinct.ids.length);
    for (let i = 0; i < this.#length; i++) {
      const root = sets.root(idOf[i] as number);
      sizes[root] = (sizes[root] as number) + 1;
    }
    for (let i = 0; i < this.#length; i++) {
      const root = sets.root(idOf[i] as number);
      if (sizes[root] === 1) continue;
      const group = members.get(root);
      if (group) group.push(i);
      else members.set(root, [i]);
    }
    return [...members]
      .map(([root, photos]) => ({
        paths: photos.map((photo) => this.#path(photo)).sort(),
        distance: sets.distance(root),
      }))
      .sort((a, b) => ((a.paths[0] as string) < (b.paths[0] as string) ? -1 : 1));
  }

  /** Each hash once, and which of them each photo has: a million equal hashes are one from here on. */
  #distinct(): { distinct: Hashes; idOf: Uint32Array } {
    const slots = new Int32Array(2 ** Math.ceil(Math.log2(2 * this.#length + 2))).fill(-1);
    const idOf = new Uint32Array(this.#length);
    const high = new Uint32Array(this.#length);
    const low = new Uint32Array(this.#length);
    let length = 0;
    for (let i = 0; i < this.#length; i++) {
      const h = this.#high[i] as number;
      const l = this.#low[i] as number;
      let slot = scatter(h, l) & (slots.length - 1);
      let id = slots[slot] as number;
      while (id >= 0 && (high[id] !== h || low[id] !== l)) {
        slot = (slot + 1) & (slots.length - 1);
        id = slots[slot] as number;
      }
      if (id < 0) {
        id = length++;
        slots[slot] = id;
        high[id] = h;
        low[id] = l;
      }
      idOf[i] = id;
    }
    const ids = Uint32Array.from({ length }, (_, id) => id);
    return { distinct: { ids, high: high.subarray(0, length), low: low.subarray(0, length) }, idOf };
  }

  #end(photo: number): number {
    return photo < 0 ? 0 : (this.#ends[photo] as number);
  }

  #path(photo: number): string {
    return Buffer.from(this.#paths.subarray(this.#end(photo - 1), this.#end(photo))).toString();
  }

  #grow(pathBytes: number): void {
    if (this.#length === this.#high.length) {
      const capacity = this.#length * 2;
      this.#high = extended(this.#high, new Uint32Array(capacity));
      this.#low = extended(this.#low, new Uint32Array(capacity));
      this.#ends = extended(this.#ends, new Float64Array(capacity));
    }
    if (pathBytes > this.#paths.length)
      this.#paths = extended(this.#paths, new Uint8Array(Math.max(pathBytes, this.#paths.length * 2)));
  }
}

/** Union-find by size with path halving; each set knows its longest link. */
class DisjointSets {
  readonly #parent: Uint32Array;
  readonly #size: Uint32Array;
  readonly #longest: Uint8Array;

  constructor(length: number) {
    this.#parent = Uint32Array.from({ length }, (_, i) => i);
    this.#size = new Uint32Array(length).fill(1);
    this.#longest = new Uint8Array(length);
  }

  root(member: number): number {
    let at = member;
    while (this.#parent[at] !== at) {
      this.#parent[at] = this.#parent[this.#parent[at] as number] as number;
      at = this.#parent[at] as number;
    }
    return at;
  }

  link(a: number, b: number, distance: number): void {
    const [rootA, rootB] = [this.root(a), this.root(b)];
    const bigger = (this.#size[rootA] as number) >= (this.#size[rootB] as number);
    const [top, under] = bigger ? [rootA, rootB] : [rootB, rootA];
    this.#longest[top] = Math.max(this.distance(rootA), this.distance(rootB), distance);
    if (top === under) return;
    this.#parent[under] = top;
    this.#size[top] = (this.#size[top] as number) + (this.#size[under] as number);
  }

  distance(root: number): number {
    return this.#longest[root] as number;
  }
}

/** Spreads the bits of a hash over 32 (the finaliser of MurmurHash3, Appleby). */
function scatter(high: number, low: number): number {
  let x = high ^ Math.imul(low, 0x9e3779b1);
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

function extended<T extends Uint8Array | Uint32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
