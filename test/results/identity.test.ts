import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  contentKey,
  fingerprintOf,
  isRacy,
  isRacyKey,
  type StatIdentity,
  statKey,
} from '../../src/results/identity.js';

const fileArbitrary = fc.record({
  dev: fc.bigInt(0n, 2n ** 64n - 1n),
  ino: fc.bigInt(0n, 2n ** 64n - 1n),
  size: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  mtimeNs: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
  ctimeNs: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
});

function unpack(key: Uint8Array): StatIdentity & { fingerprint: Uint8Array } {
  const view = new DataView(key.buffer, key.byteOffset + 16);
  return {
    fingerprint: key.subarray(0, 16),
    dev: view.getBigUint64(0),
    ino: view.getBigUint64(8),
    size: Number(view.getBigUint64(16)),
    mtimeNs: view.getBigInt64(24),
    ctimeNs: view.getBigInt64(32),
  };
}

describe('keys', () => {
  it('hold every part of the stat identity exactly', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), fileArbitrary, (fingerprint, file) => {
        expect(unpack(statKey(fingerprint, file))).toEqual({ fingerprint, ...file });
      }),
    );
  });

  it('by content differ in length from those by stat', () => {
    const sha256 = 'ab'.repeat(32);
    const key = Buffer.from(contentKey(fingerprintOf('x'), sha256)).toString('hex');
    expect(key).toMatch(new RegExp(`^[0-9a-f]{32}${sha256}$`));
    expect(key.slice(0, 32)).not.toBe(Buffer.from(fingerprintOf('y')).toString('hex'));
  });

  it.each(['', 'AB'.repeat(32), 'ab'.repeat(31), `${'ab'.repeat(31)}zz`])('refuse %j as SHA-256', (text) => {
    expect(() => contentKey(fingerprintOf('x'), text)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' }),
    );
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
    expect(isRacyKey(statKey(fingerprintOf('x'), of(changedNs, changedNs)), readAtMs)).toBe(racy);
  });

  it('is judged by the later of its times: an old mtime can be set by anybody', () => {
    expect(isRacy(of(0n, changedNs), changedMs + 100)).toBe(true);
  });

  it('never matters to a content key', () => {
    expect(isRacyKey(contentKey(fingerprintOf('x'), 'ab'.repeat(32)), 0)).toBe(false);
  });
});
