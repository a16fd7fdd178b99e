import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { joinByDistance } from '../../src/workloads/hamming-join.js';
import { NearDuplicateIndex } from '../../src/workloads/near-duplicates.js';

function distanceOf(a: bigint, b: bigint): number {
  return (a ^ b).toString(2).replaceAll('0', '').length;
}

function hex(hash: bigint): string {
  return hash.toString(16).padStart(16, '0');
}

/** Groups by comparing each with each: the definition. */
function bruteForce(hashes: readonly bigint[], maxDistance: number) {
  const group = hashes.map((_, i) => i);
  const links: [number, number, number][] = [];
  hashes.forEach((a, i) => {
    hashes.slice(i + 1).forEach((b, j) => {
      const distance = distanceOf(a, b);
      if (distance <= maxDistance) links.push([i, i + 1 + j, distance]);
    });
  });
  for (const [i, j] of links) {
    const [from, to] = [group[j], group[i]] as [number, number];
    group.forEach((g, k) => {
      if (g === from) group[k] = to;
    });
  }
  return [...new Set(group)]
    .map((g) => ({
      paths: hashes.flatMap((_, i) => (group[i] === g ? [`p${String(i).padStart(5, '0')}`] : [])),
      distance: Math.max(0, ...links.filter(([i]) => group[i] === g).map(([, , d]) => d)),
    }))
    .filter(({ paths }) => paths.length > 1)
    .sort((a, b) => ((a.paths[0] as string) < (b.paths[0] as string) ? -1 : 1));
}

function indexOf(hashes: readonly bigint[]): NearDuplicateIndex {
  const index = new NearDuplicateIndex();
  hashes.forEach((hash, i) => {
    index.add(`p${String(i).padStart(5, '0')}`, hex(hash));
  });
  return index;
}

/** A few random hashes, each with neighbours made by flipping up to nine bits: exact hits, near ones, near misses. */
const clusters = fc
  .array(
    fc.tuple(
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      fc.array(fc.array(fc.integer({ min: 0, max: 63 }), { maxLength: 9 }), { maxLength: 6 }),
    ),
    { maxLength: 6 },
  )
  .map((seeds) =>
    seeds.flatMap(([seed, flips]) => [
      seed,
      ...flips.map((f) => f.reduce((h, bit) => h ^ (1n << BigInt(bit)), seed)),
    ]),
  );

describe('near-duplicates', () => {
  it('finds the groups that comparing each with each finds, for every distance', () => {
    fc.assert(
      fc.property(clusters, fc.integer({ min: 0, max: 7 }), (hashes, maxDistance) => {
        expect(indexOf(hashes).groups({ maxDistance })).toEqual(bruteForce(hashes, maxDistance));
      }),
      { numRuns: 200 },
    );
  });

  it('finds the same where hundreds of hashes share all but one chunk', () => {
    const base = 0x8123_4567_89ab_0000n;
    const hashes = Array.from({ length: 300 }, (_, i) => base ^ BigInt(i * 97));
    const skewed = [...hashes, ...hashes.map((h) => h ^ (3n << 40n)), ...hashes.map((h) => h ^ (7n << 20n))];
    expect(pairsOf(skewed, 5)).toEqual(allPairs(skewed, 5));
  });

  it('gives the same groups whatever the order of the photos', () => {
    const hashes = [0n, 1n, 3n, 2n ** 63n, 2n ** 63n + 7n, 2n ** 40n];
    const forward = new NearDuplicateIndex();
    const backward = new NearDuplicateIndex();
    hashes.forEach((hash, i) => {
      forward.add(`p${i}`, hex(hash));
    });
    hashes.toReversed().forEach((hash, i) => {
      backward.add(`p${hashes.length - 1 - i}`, hex(hash));
    });
    expect(backward.groups()).toEqual(forward.groups());
    expect(forward.groups()).toEqual([{ paths: ['p0', 'p1', 'p2', 'p3', 'p4', 'p5'], distance: 5 }]);
  });

  it('takes a hundred thousand equal hashes as one', () => {
    const index = new NearDuplicateIndex();
    for (let i = 0; i < 100_000; i++) index.add(`p${i}`, 'ffff0000ffff0000');
    const groups = index.groups();
    expect(groups).toHaveLength(1);
    expect(groups[0]?.paths).toHaveLength(100_000);
    expect(groups[0]?.distance).toBe(0);
  });

  it('leaves photos without a hash out, and keeps paths that are bytes', () => {
    const index = new NearDuplicateIndex();
    index.add('flat.png', null);
    index.add('flat too.png', null);
    index.add(Buffer.from('b/ü.jpg'), '00000000000000ff');
    index.add('a.jpg', '00000000000000ff');
    expect(index.size).toBe(2);
    expect(index.groups()).toEqual([{ paths: ['a.jpg', 'b/ü.jpg'], distance: 0 }]);
  });

  it('says how many bytes it holds: close to 16 a photo, and the path', () => {
    const index = new NearDuplicateIndex();
    for (let i = 0; i < 65_536; i++) index.add('0123456789abcdef', hex(BigInt(i)));
    expect(index.bytes).toBe(65_536 * (16 + 16));
  });

  it('refuses what is no hash or no distance', () => {
    const index = new NearDuplicateIndex();
    expect(() => index.add('a', 'xyz')).toThrow(/16 hexadecimal digits or null for phash but received "xyz"/);
    expect(() => index.groups({ maxDistance: 8 })).toThrow(
      /integer from 0 to 7 for maxDistance but received 8/,
    );
  });
});

function pairsOf(hashes: readonly bigint[], maxDistance: number): string[] {
  const pairs = new Set<string>();
  const high = Uint32Array.from(hashes, (h) => Number(h >> 32n));
  const low = Uint32Array.from(hashes, (h) => Number(h & 0xffffffffn));
  joinByDistance({ ids: Uint32Array.from(hashes.keys()), high, low }, maxDistance, (a, b, d) =>
    pairs.add(`${Math.min(a, b)} ${Math.max(a, b)} ${d}`),
  );
  return [...pairs].sort();
}

function allPairs(hashes: readonly bigint[], maxDistance: number): string[] {
  const pairs: string[] = [];
  hashes.forEach((a, i) => {
    for (let j = i + 1; j < hashes.length; j++) {
      const distance = distanceOf(a, hashes[j] as bigint);
      if (distance <= maxDistance) pairs.push(`${i} ${j} ${distance}`);
    }
  });
  return pairs.sort();
}
