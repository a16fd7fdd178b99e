import { readdirSync, readlinkSync } from 'node:fs';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import type { ScanPlan } from '../../src/contract/index.js';
import { native } from '../../src/native/load.js';
import { type ScanOptions, scan } from '../../src/scan/scan.js';
import { batchesOf, listed, makeTree, temporaryFolder } from './support.js';

const WIDE = Array.from({ length: 2000 }, (_, i) => `d${i % 20}/e${i % 100}/f${i}`);
const root = makeTree(temporaryFolder(afterAll), WIDE);

const PLAN: ScanPlan = {
  roots: [Buffer.from(root)],
  include: [],
  exclude: [],
  types: 1,
  stat: false,
  follow: false,
  threads: 2,
  batchFiles: 16,
  skip: new BigUint64Array(),
};

/** Folders of the tree that this process holds open. */
function openBelow(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return target.startsWith(root) ? [target] : [];
    } catch (error) {
      // The descriptor that listed the folder is gone by now.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  });
}

async function untilClosed(): Promise<void> {
  const end = performance.now() + 5000;
  while (openBelow().length > 0 && performance.now() < end) await setImmediate();
  expect(openBelow()).toEqual([]);
}

describe('the loop over a scan', () => {
  it('delivers everything once, in batches that grow up to batchFiles', async () => {
    const batches = await batchesOf(root, { batchFiles: 500 });
    expect(batches[0]?.length).toBeLessThanOrEqual(64);
    expect(Math.max(...batches.map(({ length }) => length))).toBeLessThanOrEqual(500);
    const paths = batches.flatMap((batch) => [...batch].map((file) => path.relative(root, file.path)));
    expect(paths.sort()).toEqual([...WIDE].sort());
    await untilClosed();
  });

  it('ends the walk when left early, and closes what it had open', async () => {
    for (let turn = 0; turn < 20; turn++)
      for await (const _ of scan(root, { batchFiles: 10, stat: true })) break;
    await untilClosed();
  });

  it('rejects with the reason of its signal: before, between and during', async () => {
    const reason = new Error('enough');
    await expect(listed(root, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const between = new AbortController();
    const loop = async () => {
      for await (const _ of scan(root, { batchFiles: 10, signal: between.signal })) between.abort(reason);
    };
    await expect(loop()).rejects.toBe(reason);
    const during = new AbortController();
    const pending = listed(root, { signal: during.signal });
    during.abort(reason);
    await expect(pending).rejects.toBe(reason);
    await untilClosed();
  });

  it('resolves a pending next to null when closed, and every later one', async () => {
    for (let turn = 0; turn < 20; turn++) {
      const scanner = native().openScanner(PLAN);
      for (let i = 0; i < turn % 4; i++) await scanner.next();
      const pending = scanner.next();
      scanner.close();
      scanner.close();
      expect([null, 16]).toContain((await pending)?.count ?? null);
      expect(await scanner.next()).toBeNull();
    }
    await untilClosed();
  });

  it('keeps walks that nobody listens to from holding up others', async () => {
    const idle = Array.from({ length: 80 }, () => native().openScanner(PLAN));
    const scans = await Promise.all(Array.from({ length: 8 }, () => listed(root)));
    for (const lines of scans) expect(lines).toHaveLength(WIDE.length);
    const [first] = await Promise.all(idle.map((scanner) => scanner.next()));
    expect(first?.count).toBeGreaterThan(0);
    for (const scanner of idle) scanner.close();
    await untilClosed();
  });

  it('rejects wrong arguments at once', () => {
    const wrong: [unknown, unknown?][] = [
      [''],
      ['a\0b'],
      [42],
      [[Buffer.of(0x61, 0)]],
      [new URL('http://example.com/')],
      [pathToFileURL('/'), { types: 'folder' }],
      ['.', { types: [] }],
      ['.', { include: '' }],
      ['.', { exclude: ['ok', '/'] }],
      ['.', { threads: 0 }],
      ['.', { batchFiles: 1.5 }],
      ['.', { signal: {} }],
      ['.', { stats: true }],
      ['.', { skip: [{ dev: 1, ino: 2 }] }],
    ];
    for (const [roots, options] of wrong)
      expect(() => scan(roots as string, options as ScanOptions)).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' }),
      );
  });

  it('ends at once where there are no roots', async () => {
    for await (const batch of scan([])) expect.unreachable(`${batch.length} records`);
  });

  it('refuses an index beyond its records', async () => {
    const [batch] = await batchesOf(makeTree(temporaryFolder(), ['x']));
    expect(batch?.at(0).error).toBeUndefined();
    for (const index of [1, -1, 0.5]) expect(() => batch?.at(index)).toThrow(RangeError);
  });
});
