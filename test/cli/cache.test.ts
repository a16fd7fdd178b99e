import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { DiskCache } from '../../src/cache/disk-cache.js';
import { temporaryFolder } from '../cache/temporary.js';
import { spillway } from '../support/cli.js';

async function fill(dir: string): Promise<void> {
  await using cache = await DiskCache.open(dir);
  await cache.setMany(
    Array.from({ length: 100 }, (_, i) => [`${i}`, new Uint8Array(i % 2 ? 100 : 100_000).fill(i)] as const),
  );
}

const json = async (...args: string[]) => {
  const { code, stdout } = await spillway(['cache', ...args, '--json']);
  return { code, ...JSON.parse(stdout) } as Record<string, unknown>;
};

describe('spillway cache', () => {
  it('tells what is in a folder, checks it, makes it smaller and empties it', async () => {
    using folder = temporaryFolder();
    await fill(folder.path);
    expect(await json('stats', folder.path)).toMatchObject({ code: 0, entries: 100 });
    expect(await json('verify', folder.path)).toEqual({ code: 0, checked: 100, corrupt: 0, orphans: 0 });
    const pruned = await json('prune', folder.path, '--max-bytes', '2MB');
    expect(pruned).toMatchObject({ code: 0, expired: 0, orphans: 0 });
    expect(pruned.bytes).toBeLessThanOrEqual(2e6);
    const { stdout } = await spillway(['cache', 'clear', folder.path]);
    expect(stdout).toMatch(/^removed: \d+\nbytes: \d+ kB\n$/);
    expect(await json('stats', folder.path)).toMatchObject({ code: 0, entries: 0 });
  });

  it('exits with 1 where something is damaged', async () => {
    using folder = temporaryFolder();
    await fill(folder.path);
    const objects = readdirSync(path.join(folder.path, 'objects'), { recursive: true, encoding: 'utf8' });
    const [object = ''] = objects.filter((name) => name.length > 60);
    writeFileSync(path.join(folder.path, 'objects', object), 'something else');
    expect(await json('verify', folder.path)).toMatchObject({ code: 1, corrupt: 1 });
  });

  it.each(['stats', 'verify', 'prune', 'clear'])(
    '%s leaves a folder alone that is no cache',
    async (command) => {
      using folder = temporaryFolder();
      writeFileSync(path.join(folder.path, 'mine.txt'), 'mine');
      const { code, stderr } = await spillway(['cache', command, folder.path]);
      expect({ code, stderr }).toEqual({
        code: 2,
        stderr: expect.stringContaining('expected the folder of a disk cache'),
      });
      expect(readdirSync(folder.path)).toEqual(['mine.txt']);
      expect((await spillway(['cache', command, path.join(folder.path, 'missing')])).code).toBe(2);
      expect(existsSync(path.join(folder.path, 'missing'))).toBe(false);
    },
  );
});
