// Killed, crowded or short of disk: SPILLWAY_KILLS=100 for the full count of kills.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { DiskCache } from '../../src/cache/disk-cache.js';
import { valueFor } from './numbers.mjs';
import { bytesIn, randomFrom, temporaryFolder } from './temporary.js';

const KILLS = Number(process.env.SPILLWAY_KILLS ?? 10);
const SEED = Number(process.env.SPILLWAY_SEED ?? Date.now() % 2 ** 31);
const LIMIT = 8_000_000;

interface Child {
  readonly process: ChildProcess;
  /** Resolves when the process is gone and its output read: numbers acknowledged, in complete lines only. */
  readonly ended: Promise<{ code: number | null; acknowledged: number[]; stderr: string }>;
}

type Ending = 'close' | 'exit' | 'throw' | 'leave';

interface Limits {
  readonly maxBytes?: number;
  /** A command of the shell that comes first. */
  readonly shell?: string;
}

function startChild(
  dir: string,
  ending: Ending,
  first: number,
  count: number,
  { maxBytes, shell = ':' }: Limits = {},
): Child {
  const script = join(import.meta.dirname, 'disk-child.mjs');
  const parts = [
    process.execPath,
    script,
    dir,
    ending,
    String(first),
    String(count),
    String(maxBytes ?? '-'),
  ];
  const child = spawn('sh', ['-c', `${shell}; exec "$@"`, 'sh', ...parts]);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => (stdout += chunk));
  child.stderr.on('data', (chunk) => (stderr += chunk));
  const ended = once(child, 'close').then(([code]) => {
    const acknowledged = stdout.split('\n').slice(0, -1).map(Number);
    return { code: code as number | null, acknowledged, stderr };
  });
  return { process: child, ended };
}

/** Fails where a number has another value than its own; returns how many have theirs. */
async function countNumbers(cache: DiskCache, numbers: readonly number[], message: string): Promise<number> {
  let found = 0;
  for (let at = 0; at < numbers.length; at += 256) {
    const some = numbers.slice(at, at + 256);
    const values = await cache.getMany(some.map((number) => `number ${number}`));
    for (const [i, value] of values.entries()) {
      if (!value) continue;
      found++;
      const equal = Buffer.compare(value, valueFor(some[i] as number)) === 0;
      if (!equal) expect.fail(`${message}: number ${some[i]} has another value`);
    }
  }
  return found;
}

/** Fails unless the cache has exactly the value of each number. */
async function expectNumbers(dir: string, numbers: readonly number[], message: string): Promise<void> {
  await using cache = await DiskCache.open(dir);
  expect(await countNumbers(cache, numbers, message), message).toBe(numbers.length);
  expect((await cache.stats()).corrupt, message).toBe(0);
}

/** Kills one process after another in the middle of its work; `judge` looks at what each has left. */
async function killMany(
  dir: string,
  limits: Limits,
  judge: (acknowledged: readonly number[], message: string) => Promise<void>,
): Promise<number[]> {
  const random = randomFrom(SEED);
  const acknowledged: number[] = [];
  for (let round = 0; round < KILLS; round++) {
    const child = startChild(dir, 'leave', round * 1e6, 1e6, limits);
    // The first rounds may fall into the start of Node and the making of the database, the others into commits.
    if (round > 2) await once(child.process.stdout as NodeJS.ReadableStream, 'data');
    await sleep(random() * 150);
    child.process.kill('SIGKILL');
    const { acknowledged: latest } = await child.ended;
    acknowledged.push(...latest);
    await judge(latest, `seed ${SEED}, round ${round}`);
  }
  return acknowledged;
}

describe(`a process that is killed at any instant (${KILLS} times, seed ${SEED})`, () => {
  it('loses nothing that it had acknowledged, and leaves no file that belongs to nothing', async () => {
    using folder = temporaryFolder();
    const acknowledged = await killMany(folder.path, {}, (latest, message) =>
      expectNumbers(folder.path, latest, message),
    );
    expect(acknowledged.length).toBeGreaterThan(100);
    await expectNumbers(folder.path, acknowledged, `seed ${SEED}`);
    await using cache = await DiskCache.open(folder.path);
    expect(await cache.verify()).toMatchObject({ corrupt: 0, orphans: 0 });
  }, 600_000);

  it('leaves a cache that is within its limit, and gives no wrong value', async () => {
    using folder = temporaryFolder();
    await killMany(folder.path, { maxBytes: LIMIT }, async (latest, message) => {
      expect(bytesIn(folder.path), message).toBeLessThanOrEqual(LIMIT * 1.01);
      await using cache = await DiskCache.open(folder.path, { maxBytes: LIMIT });
      const found = await countNumbers(cache, latest, message);
      if (latest.length > 0) expect(found, message).toBeGreaterThan(0);
      expect((await cache.stats()).corrupt, message).toBe(0);
    });
    await using cache = await DiskCache.open(folder.path, { maxBytes: LIMIT });
    expect(await cache.verify()).toMatchObject({ corrupt: 0, orphans: 0 });
  }, 600_000);
});

describe('a process whose disk is full', () => {
  it('is told so by each set that was not committed, and keeps the others', async () => {
    using folder = temporaryFolder();
    // No file may grow beyond 256 KiB; Node ignores the signal, so that writes fail as on a full disk.
    const child = startChild(folder.path, 'leave', 1, 5000, { shell: 'ulimit -f 256' });
    const { code, acknowledged, stderr } = await child.ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/ERR_CACHE_FAILED/);
    expect(acknowledged.length).toBeGreaterThan(0);
    expect(acknowledged.length).toBeLessThan(5000);
    await expectNumbers(folder.path, acknowledged, 'before it was full');
  });
});

describe('processes that share a folder', () => {
  const count = 1500;
  const ranges = (firsts: readonly number[]) =>
    firsts.flatMap((first) => Array.from({ length: count }, (_, i) => first + i));

  it('lose nothing, whether their keys are the same or not', async () => {
    using folder = temporaryFolder();
    const children = [0, 0, 5000].map((first) => startChild(folder.path, 'close', first, count));
    for (const { ended } of children) {
      const { code, acknowledged, stderr } = await ended;
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(acknowledged).toHaveLength(count);
    }
    await expectNumbers(folder.path, ranges([0, 5000]), 'both ranges');
  });

  it('keep within the limit together', async () => {
    using folder = temporaryFolder();
    const limits = { maxBytes: LIMIT };
    const children = [0, 5000].map((first) => startChild(folder.path, 'close', first, count, limits));
    let running = children.length;
    for (const { ended } of children) void ended.then(() => running--);
    let largest = 0;
    while (running > 0) {
      largest = Math.max(largest, bytesIn(folder.path));
      await sleep(5);
    }
    for (const { ended } of children) expect(await ended).toMatchObject({ code: 0, stderr: '' });
    expect(largest).toBeLessThanOrEqual(LIMIT * 1.01);
    await using cache = await DiskCache.open(folder.path, limits);
    expect(await countNumbers(cache, ranges([0, 5000]), 'both ranges')).toBeGreaterThan(100);
    expect(await cache.verify()).toMatchObject({ corrupt: 0, orphans: 0 });
  });
});

describe('a process with an open cache', () => {
  it('ends by itself once its work is done, and prints no warning', async () => {
    using folder = temporaryFolder();
    const { code, acknowledged, stderr } = await startChild(folder.path, 'leave', 1, 50).ended;
    expect({ code, stderr, count: acknowledged.length }).toEqual({ code: 0, stderr: '', count: 50 });
    await expectNumbers(folder.path, acknowledged, 'left open');
  });

  it.each(['exit', 'throw'] as const)('leaves cleanly by %s in the middle of its work', async (what) => {
    using folder = temporaryFolder();
    const { code, acknowledged } = await startChild(folder.path, what, 1, 500).ended;
    expect(code).toBe(what === 'exit' ? 0 : 1);
    await expectNumbers(folder.path, acknowledged, what);
  });
});
