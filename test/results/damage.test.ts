import { closeSync, openSync, readFileSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { statKey } from '../../src/results/identity.js';
import { ResultStore } from '../../src/results/result-store.js';
import { codeOf } from '../../src/util/errors.js';
import { connect, fileOf, LONG_AFTER_MS, randomFrom, temporaryFolder } from './temporary.js';

const READ = { readAtMs: LONG_AFTER_MS };
const CHANGED_MS = Number(fileOf(1).ctimeNs / 1_000_000n);
const FINGERPRINT = 'photos, 224 px';
const valueFor = (i: number) => ({ kind: 'photo', data: { i, text: `value ${i} `.repeat(10) } });

/** A closed store of `count` entries, the even ones trusted, the odd ones racy. Returns the database's path. */
async function fill(dir: string, count: number): Promise<string> {
  await using store = await ResultStore.open({ dir });
  const fingerprint = await store.fingerprint(FINGERPRINT);
  const sets = Array.from({ length: count }, (_, i) => {
    const read = i % 2 ? { readAtMs: CHANGED_MS + 1, sha256: 'ab'.repeat(32) } : READ;
    return store.set(statKey(fingerprint, fileOf(i)), valueFor(i), read);
  });
  await Promise.all(sets);
  return store.folder.databaseFile;
}

async function readAll(dir: string, count: number) {
  await using store = await ResultStore.open({ dir });
  const fingerprint = await store.fingerprint(FINGERPRINT);
  const keys = Array.from({ length: count }, (_, i) => statKey(fingerprint, fileOf(i)));
  return await store.getMany(keys);
}

describe('an entry with a flipped bit', () => {
  it.each([
    ['value', 1],
    ['value', 2],
    ['racy', 2],
    ['key', 1],
    ['checksum', 1],
  ])('in %s of row %i is a miss, and is mended by the next set', async (column, row) => {
    using folder = temporaryFolder();
    const file = await fill(folder.path, 4);
    await using store = await ResultStore.open({ dir: folder.path });
    const fingerprint = await store.fingerprint(FINGERPRINT);
    const keys = [0, 1, 2, 3].map((i) => statKey(fingerprint, fileOf(i)));
    const values = async () => (await store.getMany(keys)).map((result) => result?.value);

    const db = connect(file);
    const { hex } = db.prepare(`SELECT hex(${column}) AS hex FROM results WHERE rowid = ?`).get(row) as {
      hex: string;
    };
    const flip = db.prepare(`UPDATE results SET ${column} = ? WHERE rowid = ?`);
    let flips = 0;
    for (let bit = 0; bit < hex.length * 4; bit += 5) {
      const bytes = Buffer.from(hex, 'hex');
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
      flip.run(column === 'checksum' ? bytes.toString('latin1') : bytes, row);
      flips++;
      expect(await values(), `bit ${bit}`).toEqual(
        [0, 1, 2, 3].map((i) => (i === row - 1 ? undefined : valueFor(i))),
      );
    }
    db.close();
    expect(store.stats()).toMatchObject({ misses: flips, corrupt: column === 'key' ? 0 : flips });

    await store.set(keys[row - 1] as Uint8Array, valueFor(row - 1), READ);
    expect(await values()).toEqual([0, 1, 2, 3].map(valueFor));
  });

  it('is not trusted when the flip makes a racy entry look trusted', async () => {
    using folder = temporaryFolder();
    const db = connect(await fill(folder.path, 2));
    db.exec('UPDATE results SET racy = NULL');
    db.close();
    expect((await readAll(folder.path, 2))[1]).toBeUndefined();
  });

  it('is not taken for the entry of another key, nor of another fingerprint', async () => {
    using folder = temporaryFolder();
    const db = connect(await fill(folder.path, 4));
    db.exec(`UPDATE results SET (value, checksum) = (SELECT value, checksum FROM results WHERE rowid = 3) WHERE rowid = 1;
             UPDATE fingerprints SET text = 'photos, 225 px'`);
    db.close();
    expect(await readAll(folder.path, 4)).toEqual(Array(4).fill(undefined));
    await using store = await ResultStore.open({ dir: folder.path });
    const other = await store.fingerprint('photos, 225 px');
    expect(await store.getMany([0, 2].map((i) => statKey(other, fileOf(i))))).toEqual([undefined, undefined]);
    expect(store.stats().corrupt).toBe(2);
  });
});

describe('a damaged file', () => {
  it('never yields a wrong value, whatever bits flipped in it', async () => {
    using folder = temporaryFolder();
    const count = 200;
    const file = await fill(folder.path, count);
    const intact = readFileSync(file);
    const seed = Date.now() % 2 ** 31;
    const random = randomFrom(seed);
    const seen = { hits: 0, misses: 0, refused: 0 };
    for (let round = 0; round < 30; round++) {
      const bytes = Buffer.from(intact);
      for (let flips = 0; flips < 8; flips++) {
        const at = Math.floor(random() * bytes.length);
        bytes[at] = (bytes[at] as number) ^ (1 << Math.floor(random() * 8));
      }
      writeFileSync(file, bytes);
      try {
        const found = await readAll(folder.path, count);
        found.forEach((result, i) => {
          if (result) expect(result.value, `seed ${seed}, round ${round}`).toEqual(valueFor(i));
          if (result) expect(result.racy, `seed ${seed}, round ${round}`).toBe(i % 2 === 1);
          seen[result ? 'hits' : 'misses']++;
        });
      } catch (error) {
        if (!/^ERR_CACHE_/.test(codeOf(error) ?? '')) throw error;
        seen.refused++;
      }
    }
    expect(seen.hits, `seed ${seed}`).toBeGreaterThan(0);
    expect(seen.misses + seen.refused, `seed ${seed}`).toBeGreaterThan(0);
  });

  it.each([
    ['bytes of no database', Buffer.alloc(8192, 'garbage ')],
    ['a few bytes', Buffer.from('hello')],
  ])('of %s is refused with its name and the remedy', async (_what, bytes) => {
    using folder = temporaryFolder();
    const file = join(folder.path, 'results.sqlite');
    writeFileSync(file, bytes);
    const opening = ResultStore.open({ dir: folder.path });
    await expect(opening).rejects.toMatchObject({ code: 'ERR_CACHE_CORRUPT' });
    await expect(opening).rejects.toThrow(`the cache ${file} is damaged`);
    await expect(opening).rejects.toThrow('remove its folder, or pass another one with --cache');
    expect(readFileSync(file)).toEqual(bytes);
  });

  it('whose pages are overwritten is refused at the lookup', async () => {
    using folder = temporaryFolder();
    const file = await fill(folder.path, 500);
    const fd = openSync(file, 'r+');
    for (let page = 4; page < statSync(file).size / 4096; page++)
      writeSync(fd, Buffer.alloc(4096, 0x5a), 0, 4096, page * 4096);
    closeSync(fd);
    await expect(readAll(folder.path, 500)).rejects.toMatchObject({ code: 'ERR_CACHE_CORRUPT' });
  });

  it('that is a database of something else, or of a newer version, is refused and left alone', async () => {
    using folder = temporaryFolder();
    const db = connect(join(folder.path, 'results.sqlite'));
    db.exec('CREATE TABLE mine (x)');
    await expect(ResultStore.open({ dir: folder.path })).rejects.toMatchObject({ code: 'ERR_CACHE_CORRUPT' });
    db.close();

    using newer = temporaryFolder();
    const ours = connect(await fill(newer.path, 1));
    ours.exec('PRAGMA user_version = 99');
    ours.close();
    await expect(ResultStore.open({ dir: newer.path })).rejects.toMatchObject({ code: 'ERR_CACHE_VERSION' });
  });
});
