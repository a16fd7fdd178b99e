import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DiskCache } from '../../src/cache/disk-cache.js';
import { codeOf } from '../../src/util/errors.js';
import { connect, randomFrom, temporaryFolder } from './temporary.js';

const LARGE = 30_000;
const keyFor = (i: number) => `key ${i}`;
/** Every third value is large enough for a file of its own. */
const valueFor = (i: number) => Buffer.from(`value ${i} `.repeat(i % 3 === 2 ? LARGE / 8 : 12));
const keys = (count: number) => Array.from({ length: count }, (_, i) => keyFor(i));
const values = (count: number) => Array.from({ length: count }, (_, i) => valueFor(i));
/** For each value whether it is the right one; undefined where there is none. Fast for large ones. */
const judge = (found: readonly (Uint8Array | undefined)[]) =>
  found.map((value, i) => value && Buffer.compare(value, valueFor(i)) === 0);

/** A closed cache of `count` entries that live long. Returns the database's path. */
async function fill(dir: string, count: number): Promise<string> {
  await using cache = await DiskCache.open(dir, { ttl: '1000d' });
  await cache.setMany(values(count).map((value, i) => [keyFor(i), value] as const));
  return cache.folder.databaseFile;
}

async function readAll(dir: string, count: number) {
  await using cache = await DiskCache.open(dir);
  return judge(await cache.getMany(keys(count)));
}

function objectFiles(dir: string): string[] {
  return readdirSync(join(dir, 'objects'), { recursive: true, encoding: 'utf8' })
    .map((name) => join(dir, 'objects', name))
    .filter((file) => statSync(file).isFile());
}

function flipped(bytes: Buffer, bit: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7));
  return copy;
}

describe('an entry with a flipped bit', () => {
  it.each([
    ['value', 1],
    ['value', 2],
    ['object', 3],
    ['key', 1],
    ['checksum', 1],
    ['checksum', 3],
  ])('in %s of row %i is a miss, and is mended by the next set', async (column, row) => {
    using folder = temporaryFolder();
    const file = await fill(folder.path, 4);
    await using cache = await DiskCache.open(folder.path);
    const found = async () => judge(await cache.getMany(keys(4)));

    const db = connect(file);
    db.exec('DROP TRIGGER entry_replaced'); // Bits that flip tell no trigger.
    const { hex } = db.prepare(`SELECT hex(${column}) AS hex FROM entries WHERE rowid = ?`).get(row) as {
      hex: string;
    };
    const flip = db.prepare(`UPDATE entries SET ${column} = ? WHERE rowid = ?`);
    const intact = Buffer.from(hex, 'hex');
    let flips = 0;
    for (let bit = 0; bit < intact.length * 8; bit += 5) {
      const bytes = flipped(intact, bit);
      flip.run(column === 'checksum' ? bytes.toString('latin1') : bytes, row);
      flips++;
      expect(await found(), `bit ${bit}`).toEqual(
        [1, 2, 3, 4].map((each) => (each === row ? undefined : true)),
      );
    }
    db.close();
    expect(await cache.stats()).toMatchObject({ misses: flips, corrupt: column === 'key' ? 0 : flips });

    await cache.set(keyFor(row - 1), valueFor(row - 1));
    expect(await found()).toEqual([true, true, true, true]);
  });

  it.each(['expires', 'priority'])('in %s is a miss', async (column) => {
    using folder = temporaryFolder();
    const db = connect(await fill(folder.path, 3));
    db.exec(`UPDATE entries SET ${column} = ${column} + 1024`);
    db.close();
    expect(await readAll(folder.path, 3)).toEqual([undefined, undefined, undefined]);
  });

  it('is not taken for the entry of another key', async () => {
    using folder = temporaryFolder();
    const db = connect(await fill(folder.path, 4));
    db.exec(
      `UPDATE entries SET (value, checksum) = (SELECT value, checksum FROM entries WHERE rowid = 2) WHERE rowid = 1`,
    );
    db.close();
    expect(await readAll(folder.path, 4)).toEqual([undefined, true, true, true]);
  });
});

describe('a large value', () => {
  const damages: [string, (file: string) => void][] = [
    ['with a flipped bit', (file) => writeFileSync(file, flipped(readFileSync(file), 12_345))],
    ['that was cut', (file) => truncateSync(file, LARGE - 1)],
    ['that is empty', (file) => truncateSync(file, 0)],
    ['that is gone', (file) => rmSync(file)],
  ];
  it.each(damages)(
    '%s is a miss that counts as corrupt, and is mended by the next set',
    async (_what, damage) => {
      using folder = temporaryFolder();
      await fill(folder.path, 3);
      const [file = ''] = objectFiles(folder.path);
      damage(file);
      await using cache = await DiskCache.open(folder.path);
      expect(await cache.verify()).toEqual({ checked: 3, corrupt: 1, orphans: 0 });
      expect(judge(await cache.getMany(keys(3)))).toEqual([true, true, undefined]);
      expect(await cache.stats()).toMatchObject({ hits: 2, misses: 1, corrupt: 1 });
      await cache.set(keyFor(2), valueFor(2));
      expect(judge(await cache.getMany(keys(3)))).toEqual([true, true, true]);
      expect(objectFiles(folder.path)).toEqual([file]);
    },
  );
});

describe('files that belong to nothing', () => {
  it('are counted by verify, removed by prune, and by the next open where a process died over them', async () => {
    using folder = temporaryFolder();
    await fill(folder.path, 3);
    const [kept = ''] = objectFiles(folder.path);
    const orphan = join(kept, '..', `${kept.split('/').at(-2)}${'0'.repeat(62)}`);
    const aside = join(folder.path, 'objects', 'aside', 'half');
    writeFileSync(orphan, 'left behind');
    writeFileSync(aside, 'left behind');

    await using cache = await DiskCache.open(folder.path);
    expect(existsSync(aside)).toBe(false);
    expect(await cache.verify()).toEqual({ checked: 3, corrupt: 0, orphans: 1 });
    expect(await cache.prune()).toMatchObject({ expired: 0, evicted: 0, orphans: 1 });
    expect(objectFiles(folder.path)).toEqual([kept]);
    expect(await cache.verify()).toEqual({ checked: 3, corrupt: 0, orphans: 0 });
  });
});

describe('a damaged database', () => {
  it('never yields a wrong value, whatever bits flipped in it', async () => {
    using folder = temporaryFolder();
    const count = 200;
    const file = await fill(folder.path, count);
    const intact = readFileSync(file);
    const seed = Date.now() % 2 ** 31;
    const random = randomFrom(seed);
    const seen = { hits: 0, misses: 0, refused: 0 };
    for (let round = 0; round < 30; round++) {
      let bytes: Buffer = intact;
      for (let flips = 0; flips < 8; flips++) bytes = flipped(bytes, Math.floor(random() * bytes.length * 8));
      writeFileSync(file, bytes);
      try {
        for (const right of await readAll(folder.path, count)) {
          if (right === false) expect.fail(`a wrong value: seed ${seed}, round ${round}`);
          seen[right ? 'hits' : 'misses']++;
        }
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
    const file = join(folder.path, 'cache.sqlite');
    writeFileSync(file, bytes);
    const opening = DiskCache.open(folder.path);
    await expect(opening).rejects.toMatchObject({ code: 'ERR_CACHE_CORRUPT' });
    await expect(opening).rejects.toThrow(`the cache ${file} is damaged`);
    await expect(opening).rejects.toThrow('remove its folder, or pass another one with --cache');
    expect(readFileSync(file)).toEqual(bytes);
  });

  it('whose pages are overwritten is refused at the lookup', async () => {
    using folder = temporaryFolder();
    const file = await fill(folder.path, 500);
    const fd = openSync(file, 'r+');
    for (let page = 12; page < statSync(file).size / 4096; page++)
      writeSync(fd, Buffer.alloc(4096, 0x5a), 0, 4096, page * 4096);
    closeSync(fd);
    await expect(readAll(folder.path, 500)).rejects.toMatchObject({ code: 'ERR_CACHE_CORRUPT' });
  });

  it('that is a database of something else, or of another version, is refused and left alone', async () => {
    using folder = temporaryFolder();
    const db = connect(join(folder.path, 'cache.sqlite'));
    db.exec('CREATE TABLE mine (x)');
    await expect(DiskCache.open(folder.path)).rejects.toMatchObject({ code: 'ERR_CACHE_CORRUPT' });
    db.close();

    using newer = temporaryFolder();
    const ours = connect(await fill(newer.path, 1));
    ours.exec('PRAGMA user_version = 99');
    ours.close();
    await expect(DiskCache.open(newer.path)).rejects.toMatchObject({ code: 'ERR_CACHE_VERSION' });
  });
});
