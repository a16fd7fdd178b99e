import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { inspectCacheFolder, openCacheFolder } from '../../src/cache/disk-folder.js';
import { temporaryFolder } from './temporary.js';

const UNSAFE = { code: 'ERR_CACHE_UNSAFE' };
const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

describe('the cache folder', () => {
  it('is made for its user alone, its database too, and is told by device and inode', async () => {
    using parent = temporaryFolder();
    const path = join(parent.path, 'deep', 'cache');
    const folder = await openCacheFolder(path);
    const { dev, ino } = lstatSync(path, { bigint: true });
    expect(folder).toEqual({ path, dev, ino, databaseFile: join(path, 'cache.sqlite') });
    expect(modeOf(path)).toBe('700');
    expect(modeOf(folder.databaseFile)).toBe('600');
  });

  it('may exist already, and be readable by others', async () => {
    using parent = temporaryFolder();
    chmodSync(parent.path, 0o755);
    await expect(openCacheFolder(parent.path)).resolves.toMatchObject({ path: parent.path });
    await expect(openCacheFolder(`${parent.path}/`)).resolves.toMatchObject({ path: parent.path });
  });

  it.each([0o770, 0o702, 0o777])('is refused with mode %o, which lets others write', async (mode) => {
    using parent = temporaryFolder();
    chmodSync(parent.path, mode);
    await expect(openCacheFolder(parent.path)).rejects.toMatchObject(UNSAFE);
  });

  it.each(['', '/'])('is refused when it is a link (with %j behind it)', async (slash) => {
    using parent = temporaryFolder();
    mkdirSync(join(parent.path, 'real'), { mode: 0o700 });
    symlinkSync('real', join(parent.path, 'link'));
    symlinkSync('nowhere', join(parent.path, 'dangling'));
    await expect(openCacheFolder(join(parent.path, 'link') + slash)).rejects.toMatchObject(UNSAFE);
    await expect(openCacheFolder(join(parent.path, 'dangling') + slash)).rejects.toMatchObject(UNSAFE);
  });

  it('is refused when it is a file, or its database a link', async () => {
    using parent = temporaryFolder();
    const file = join(parent.path, 'file');
    writeFileSync(file, '');
    await expect(openCacheFolder(file)).rejects.toMatchObject(UNSAFE);
    symlinkSync(file, join(parent.path, 'cache.sqlite'));
    await expect(openCacheFolder(parent.path)).rejects.toMatchObject(UNSAFE);
  });

  it('is refused when another user owns it', async (context) => {
    if (process.geteuid?.() !== 0) return context.skip('only root can give a folder away');
    using parent = temporaryFolder();
    chownSync(parent.path, 12345, 12345);
    await expect(openCacheFolder(parent.path)).rejects.toMatchObject(UNSAFE);
  });

  it('is not made where it is only to be looked at', async () => {
    using parent = temporaryFolder();
    const missing = join(parent.path, 'missing');
    await expect(openCacheFolder(missing, false)).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(openCacheFolder(parent.path, false)).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' });
    expect(readdirSync(parent.path)).toEqual([]);
  });

  it('keeps the codes of system errors', async () => {
    using parent = temporaryFolder();
    writeFileSync(join(parent.path, 'file'), '');
    await expect(openCacheFolder(join(parent.path, 'file', 'cache'))).rejects.toMatchObject({
      code: 'ENOTDIR',
    });
  });

  it('is judged without being made', async () => {
    using parent = temporaryFolder();
    const path = join(parent.path, 'deep', 'cache');
    const freeBytes = expect.any(Number);
    expect(await inspectCacheFolder(path)).toEqual({ path, exists: false, freeBytes });
    expect(await inspectCacheFolder(path)).toEqual({ path, exists: false, freeBytes });
    await openCacheFolder(path);
    expect(await inspectCacheFolder(path)).toEqual({ path, exists: true, freeBytes });
    chmodSync(path, 0o777);
    await expect(inspectCacheFolder(path)).rejects.toMatchObject(UNSAFE);
    await expect(inspectCacheFolder('/etc/passwd/cache')).rejects.toMatchObject({ code: 'ENOTDIR' });
  });
});
