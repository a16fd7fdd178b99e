// What is not a regular file, or only looks like one.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { code, gathered, openBelow, readAll, temporaryFolder, untilEqual } from './support.js';

const dir = temporaryFolder();
const at = (name: string) => path.join(dir, name);
const server = createServer();

beforeAll(async () => {
  execFileSync('mkfifo', [at('fifo')]);
  mkdirSync(at('folder'));
  await new Promise<void>((resolve) => server.listen(at('socket'), resolve));
});
afterAll(() => server.close());

describe('what is not a regular file', () => {
  it.each([
    ['fifo', 'a FIFO'],
    ['folder', 'a directory'],
    ['socket', 'a socket'],
    ['/dev/null', 'a device'],
    ['/dev/zero', 'a device'],
  ])('%s is named at once: %s', async (name, kind) => {
    const file = path.resolve(dir, name);
    await expect(gathered(file)).rejects.toThrow(code('ERR_NOT_A_FILE'));
    await expect(gathered(file)).rejects.toThrow(kind);
    expect((await readAll([file])).map(({ error }) => error)).toEqual(['ERR_NOT_A_FILE']);
    await untilEqual(() => openBelow(dir), 0);
  });
});

describe('system errors', () => {
  it('keep their codes', async () => {
    writeFileSync(at('file'), 'x');
    const long = `${dir}/${'x'.repeat(300)}`;
    for (const [file, expected] of [
      [at('missing'), 'ENOENT'],
      [at('file/below'), 'ENOTDIR'],
      [long, 'ENAMETOOLONG'],
    ] as const) {
      await expect(gathered(file)).rejects.toThrow(code(expected));
      expect((await readAll([file]))[0]?.error).toBe(expected);
    }
  });

  it('of a read name themselves too', async () => {
    // The first page of this process's memory is not mapped: EIO.
    await expect(gathered('/proc/self/mem')).rejects.toThrow(code('EIO'));
    expect((await readAll(['/proc/self/mem']))[0]?.error).toBe('EIO');
  });
});

describe('files that the kernel makes up', () => {
  const same = [
    '/proc/version',
    '/proc/self/cmdline',
    '/proc/filesystems',
    '/sys/kernel/mm/transparent_hugepage/enabled',
  ];

  it('are read to their end although their size says nothing', async () => {
    for (const file of same) {
      const expected = readFileSync(file).toString();
      expect(expected.length).toBeGreaterThan(0);
      expect((await gathered(file)).bytes.toString()).toBe(expected);
      expect((await gathered(file, { chunkBytes: 3 })).bytes.toString()).toBe(expected);
    }
    const files = await readAll(same);
    expect(files.map(({ bytes }) => bytes.toString())).toEqual(
      same.map((file) => readFileSync(file).toString()),
    );
  });

  it('obey the bounds of a range and of a size', async () => {
    const expected = readFileSync('/proc/version');
    const { bytes } = await gathered('/proc/version', { start: 3, end: 9, chunkBytes: 4 });
    expect(bytes.equals(expected.subarray(3, 9))).toBe(true);
    const bounded = async (maxFileBytes: number) =>
      (await readAll(['/proc/version'], { maxFileBytes }))[0]?.error;
    expect(await bounded(expected.length)).toBeUndefined();
    expect(await bounded(expected.length - 1)).toBe('ERR_TOO_LARGE');
  });
});

describe('a file of holes', () => {
  it('is told from one that is made up', async () => {
    writeFileSync(at('holes'), '');
    truncateSync(at('holes'), 10_000);
    expect((await gathered(at('holes'))).bytes.equals(Buffer.alloc(10_000))).toBe(true);
    expect((await readAll([at('holes')]))[0]?.bytes.equals(Buffer.alloc(10_000))).toBe(true);
  });
});
