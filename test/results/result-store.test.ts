import { readdirSync, rmSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { contentKey, fingerprintOf, isRacy, statKey } from '../../src/results/identity.js';
import { ResultStore } from '../../src/results/result-store.js';
import { isStorableFailure, type StoredValue } from '../../src/results/value.js';
import { openFilesIn, temporaryFolder } from '../cache/temporary.js';
import { fileOf, LONG_AFTER_MS } from './files.js';

const READ = { readAtMs: LONG_AFTER_MS };

function photo(i: number): StoredValue {
  return {
    kind: 'photo',
    data: { width: i, name: `Ünï ${i}`, tags: [i, null, 'x'] },
    sha256: 'ab'.repeat(32),
  };
}

describe('a result store', () => {
  it('loads one of the two drivers and says which', async () => {
    using folder = temporaryFolder();
    await using store = await ResultStore.open({ dir: folder.path });
    const { driver } = store.stats();
    expect(driver.name).toBe(process.getBuiltinModule('node:sqlite') ? 'node:sqlite' : 'better-sqlite3');
    expect(driver.version).toMatch(/^\d+\.\d+\.\d+/);
  });

  it('gives back what was set, before and after it is reopened', async () => {
    using folder = temporaryFolder();
    const failure: StoredValue = { error: { code: 'ERR_DECODE', message: 'not a JPEG' } };
    const large: StoredValue = { kind: 'text', data: 'é'.repeat(300_000) };
    const expected = [photo(1), failure, large].map((value) => ({ racy: false, value }));
    const keysOf = () => {
      const fingerprint = fingerprintOf('photos v1');
      return [
        statKey(fingerprint, fileOf(1)),
        contentKey(fingerprint, 'cd'.repeat(32)),
        statKey(fingerprint, fileOf(3)),
      ];
    };
    {
      await using store = await ResultStore.open({ dir: folder.path });
      const keys = keysOf();
      await Promise.all(expected.map(({ value }, i) => store.set(keys[i] as Uint8Array, value, READ)));
      expect(await store.getMany(keys)).toEqual(expected);
    }
    await using store = await ResultStore.open({ dir: folder.path });
    expect(await store.getMany(keysOf())).toEqual(expected);
  });

  it('keeps many entries apart, and finds each among keys it does not know', async () => {
    using folder = temporaryFolder();
    await using store = await ResultStore.open({ dir: folder.path, queueBytes: '64KB' });
    const fingerprint = fingerprintOf('many');
    const count = 3000;
    for (let i = 0; i < count; i++) {
      await store.ready();
      void store.set(statKey(fingerprint, fileOf(i)), photo(i), READ);
      expect(store.stats().queuedBytes).toBeLessThan(64_000 + 1000);
    }
    await store.flush();
    const keys = Array.from({ length: count * 2 }, (_, i) => statKey(fingerprint, fileOf(i)));
    const found = await store.getMany(keys);
    expect(found.slice(0, count)).toEqual(
      Array.from({ length: count }, (_, i) => ({ racy: false, value: photo(i) })),
    );
    expect(found.slice(count).every((result) => result === undefined)).toBe(true);
    expect(store.stats()).toMatchObject({
      lookups: 2 * count,
      hits: count,
      misses: count,
      corrupt: 0,
      committed: count,
    });
  });

  it('sees its own sets at once, and overwrites', async () => {
    using folder = temporaryFolder();
    await using store = await ResultStore.open({ dir: folder.path });
    const key = statKey(fingerprintOf('x'), fileOf(1));
    const first = store.set(key, photo(1), READ);
    expect(await store.getMany([key])).toEqual([{ racy: false, value: photo(1) }]);
    const second = store.set(key, photo(2), READ);
    expect(await store.getMany([key])).toEqual([{ racy: false, value: photo(2) }]);
    await Promise.all([first, second]);
  });

  it('tells fingerprints apart, and files that differ in one part of their identity', async () => {
    using folder = temporaryFolder();
    await using store = await ResultStore.open({ dir: folder.path });
    const [one, two] = [fingerprintOf('size 224'), fingerprintOf('size 225')];
    const file = fileOf(1);
    await store.set(statKey(one, file), photo(1), READ);
    const others = [
      { ...file, dev: 67n },
      { ...file, ino: 2n },
      { ...file, size: file.size + 1 },
      { ...file, mtimeNs: file.mtimeNs + 1n },
      { ...file, ctimeNs: file.ctimeNs + 1n },
    ];
    const found = await store.getMany([statKey(two, file), ...others.map((other) => statKey(one, other))]);
    expect(found).toEqual(Array(6).fill(undefined));
  });

  it('refuses failures that the content does not determine, and what JSON cannot express', async () => {
    using folder = temporaryFolder();
    await using store = await ResultStore.open({ dir: folder.path });
    const key = statKey(fingerprintOf('x'), fileOf(1));
    const refused = { code: 'ERR_INVALID_ARGUMENT' };
    const denied = { error: { code: 'EACCES', message: 'permission denied' } };
    await expect(store.set(key, denied, READ)).rejects.toMatchObject(refused);
    await expect(store.set(key, { kind: 'x', data: 1n }, READ)).rejects.toMatchObject(refused);
    await expect(store.set(new Uint8Array(3), photo(1), READ)).rejects.toMatchObject(refused);
    expect(['ERR_DECODE', 'ENOENT', 'ERR_FILE_CHANGED', undefined].map(isStorableFailure)).toEqual([
      true,
      false,
      false,
      false,
    ]);
    expect(await store.getMany([key])).toEqual([undefined]);
  });
});

describe('a racy entry', () => {
  const file = fileOf(1);
  const changedMs = Number(file.ctimeNs / 1_000_000n);
  const [sha256, otherSha256] = ['ab'.repeat(32), 'cd'.repeat(32)];
  const young = { readAtMs: changedMs + 100, sha256 };
  const value = photo(1);

  it('needs the SHA-256 of what was read', async () => {
    using folder = temporaryFolder();
    await using store = await ResultStore.open({ dir: folder.path });
    const key = statKey(fingerprintOf('x'), file);
    expect(isRacy(file, young.readAtMs)).toBe(true);
    await expect(store.set(key, value, { readAtMs: young.readAtMs })).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
    });
  });

  it('is trusted once it was confirmed late enough with the same content', async () => {
    using folder = temporaryFolder();
    await using store = await ResultStore.open({ dir: folder.path });
    const key = statKey(fingerprintOf('x'), file);
    const racy = { racy: true, value, sha256 };
    await store.set(key, value, young);
    expect(await store.getMany([key])).toEqual([racy]);

    await store.confirm(key, { readAtMs: changedMs + 1500, sha256 });
    expect(await store.getMany([key]), 'too early').toEqual([racy]);
    await store.confirm(key, { readAtMs: changedMs + 5000, sha256: otherSha256 });
    expect(await store.getMany([key]), 'other content').toEqual([racy]);

    await store.confirm(key, { readAtMs: changedMs + 5000, sha256 });
    expect(await store.getMany([key])).toEqual([{ racy: false, value }]);
    expect(store.stats()).toMatchObject({ racy: 3, hits: 1 });
  });

  it('is replaced when the content turned out to be other', async () => {
    using folder = temporaryFolder();
    await using store = await ResultStore.open({ dir: folder.path });
    const key = statKey(fingerprintOf('x'), file);
    await store.set(key, value, young);
    await store.set(key, photo(2), { readAtMs: changedMs + 5000, sha256: otherSha256 });
    expect(await store.getMany([key])).toEqual([{ racy: false, value: photo(2) }]);
  });
});

describe('a link', () => {
  const sha256 = 'ab'.repeat(32);
  const fingerprint = fingerprintOf('x');
  const [key, content] = [statKey(fingerprint, fileOf(1)), contentKey(fingerprint, sha256)];
  const changedMs = Number(fileOf(1).ctimeNs / 1_000_000n);
  const late = { readAtMs: LONG_AFTER_MS, sha256 };
  const young = { readAtMs: changedMs + 100, sha256 };

  it('leads from a stat key to the value kept by content, in the order of the keys', async () => {
    using folder = temporaryFolder();
    await using store = await ResultStore.open({ dir: folder.path });
    const other = statKey(fingerprint, fileOf(2));
    await store.set(content, photo(1), late);
    await store.set(other, photo(2), late);
    await store.link(key, late);
    const values = [photo(2), photo(1), photo(1), undefined];
    const found = await store.getMany([other, key, content, statKey(fingerprintOf('y'), fileOf(1))]);
    expect(found.map((each) => each?.value)).toEqual(values);
    expect(store.stats()).toMatchObject({ lookups: 4, hits: 3, misses: 1 });
  });

  it('is racy while stat cannot vouch for the file, and trusted once confirmed', async () => {
    using folder = temporaryFolder();
    await using store = await ResultStore.open({ dir: folder.path });
    await store.set(content, photo(1), young);
    await store.link(key, young);
    expect(await store.getMany([key])).toEqual([{ racy: true, value: photo(1), sha256 }]);
    await store.confirm(key, late);
    expect(await store.getMany([key])).toEqual([{ racy: false, value: photo(1) }]);
  });

  it('to content that is not there is a miss', async () => {
    using folder = temporaryFolder();
    await using store = await ResultStore.open({ dir: folder.path });
    await store.link(key, late);
    expect(await store.getMany([key, content])).toEqual([undefined, undefined]);
    await expect(store.link(content, late)).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' });
  });
});

describe('closing', () => {
  it('commits what is queued, ends the thread, and leaves one file without a log beside it', async () => {
    using folder = temporaryFolder();
    const store = await ResultStore.open({ dir: folder.path });
    const key = statKey(fingerprintOf('x'), fileOf(1));
    const keys = Array.from({ length: 700 }, (_, i) => statKey(fingerprintOf('x'), fileOf(i)));
    expect(openFilesIn(folder.path)).not.toEqual([]);
    const committed = Promise.all(keys.map((each, i) => store.set(each, photo(i), READ)));
    const closed = store.close();
    await expect(store.set(key, photo(1), READ)).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    await expect(store.getMany([key])).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    await closed;
    await store.close();
    await committed;
    expect(readdirSync(folder.path)).toEqual(['cache.sqlite']);
    expect(openFilesIn(folder.path)).toEqual([]);

    await using again = await ResultStore.open({ dir: folder.path });
    expect((await again.getMany(keys)).map((found) => found?.value)).toEqual(keys.map((_, i) => photo(i)));
  });

  it('leaves the folder free to be removed', async () => {
    using folder = temporaryFolder();
    const store = await ResultStore.open({ dir: folder.path });
    await store.close();
    rmSync(folder.path, { recursive: true });
    await using again = await ResultStore.open({ dir: folder.path });
    expect(again.stats().lookups).toBe(0);
  });
});
