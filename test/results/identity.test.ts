import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contentKey, isRacy, isRacyKey, type StatIdentity, statKey } from '../../src/results/identity.js';

const fileArbitrary = fc.record({
  dev: fc.bigInt(0n, 2n ** 64n - 1n),
  ino: fc.bigInt(0n, 2n ** 64n - 1n),
  size: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  mtimeNs: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
  ctimeNs: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
});

function unpack(key: Uint8Array): StatIdentity & { fingerprint: number } {
  const view = new DataView(key.buffer, key.byteOffset);
  return {
    fingerprint: view.getUint32(0),
    dev: view.getBigUint64(4),
    ino: view.getBigUint64(12),
    size: Number(view.getBigUint64(20)),
    mtimeNs: view.getBigInt64(28),
    ctimeNs: view.getBigInt64(36),
  };
}

describe('keys', () => {
  it('hold every part of the stat identity exactly', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 31), fileArbitrary, (fingerprint, file) => {
        expect(unpack(statKey(fingerprint, file))).toEqual({ fingerprint, ...file });
      }),
    );
  });

  it('by content differ in length from those by stat', () => {
    const sha256 = 'ab'.repeat(32);
    expect(Buffer.from(contentKey(7, sha256)).toString('hex')).toBe(`00000007${sha256}`);
    expect(contentKey(7, sha256)).toHaveLength(36);
  });

  it.each(['', 'AB'.repeat(32), 'ab'.repeat(31), `${'ab'.repeat(31)}zz`])('refuse %j as SHA-256', (text) => {
    expect(() => contentKey(1, text)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' }));
  });
});

describe('a file read soon after it changed', () => {
  const changedNs = 1_700_000_000_000_000_000n;
  const changedMs = 1_700_000_000_000;
  const of = (mtimeNs: bigint, ctimeNs: bigint): StatIdentity => ({
    dev: 1n,
    ino: 2n,
    size: 3,
    mtimeNs,
    ctimeNs,
  });

  it.each([
    ['at once', changedMs, true],
    ['1.999 s later', changedMs + 1999, true],
    ['2 s later', changedMs + 2000, false],
    ['before, by a clock that is behind', changedMs - 5000, true],
  ])('%s', (_when, readAtMs, racy) => {
    expect(isRacy(of(changedNs, changedNs), readAtMs)).toBe(racy);
    expect(isRacyKey(statKey(1, of(changedNs, changedNs)), readAtMs)).toBe(racy);
  });

  it('is judged by the later of its times: an old mtime can be set by anybody', () => {
    expect(isRacy(of(0n, changedNs), changedMs + 100)).toBe(true);
  });

  it('never matters to a content key', () => {
    expect(isRacyKey(contentKey(1, 'ab'.repeat(32)), 0)).toBe(false);
  });
});
