import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { statKey } from '../../src/results/identity.js';
import { ResultStore } from '../../src/results/result-store.js';
import { randomFrom, temporaryFolder } from './temporary.js';

interface Child {
  readonly process: ChildProcess;
  /** Resolves when the process is gone and its output read: numbers acknowledged, in complete lines only. */
  readonly ended: Promise<{ code: number | null; acknowledged: number[]; stderr: string }>;
}

type Ending = 'close' | 'exit' | 'throw' | 'leave';

function startChild(dir: string, ending: Ending, first: number, count: number, limit = ':'): Child {
  const script = join(import.meta.dirname, 'store-child.mjs');
  const parts = [process.execPath, script, dir, ending, String(first), String(count)];
  const child = spawn('sh', ['-c', `${limit}; exec "$@"`, 'sh', ...parts]);
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

/** Fails unless the store has exactly the value of each number. */
async function expectNumbers(dir: string, numbers: readonly number[], message: string): Promise<void> {
  await using store = await ResultStore.open({ dir });
  const fingerprint = await store.fingerprint('child');
  const keys = numbers.map((number) =>
    statKey(fingerprint, { dev: 1n, ino: BigInt(number), size: number, mtimeNs: 1n, ctimeNs: 1n }),
  );
  const expected = numbers.map((number) => ({
    racy: false,
    value: { kind: 'number', data: { number, text: `${number} `.repeat(number % 50) } },
  }));
  expect(await store.getMany(keys), message).toEqual(expected);
}

describe('a process that is killed at any instant', () => {
  it('loses nothing that it had acknowledged', async () => {
    using folder = temporaryFolder();
    const seed = Date.now() % 2 ** 31;
    console.log(`seed ${seed}`);
    const random = randomFrom(seed);
    const acknowledged: number[] = [];
    for (let round = 0; round < 10; round++) {
      const child = startChild(folder.path, 'leave', round * 1e6, 1e6);
      // The first rounds may fall into the start of Node and the making of the database, the others into commits.
      if (round > 2) await once(child.process.stdout as NodeJS.ReadableStream, 'data');
      await sleep(random() * 150);
      child.process.kill('SIGKILL');
      acknowledged.push(...(await child.ended).acknowledged);
      await expectNumbers(folder.path, acknowledged, `seed ${seed}, round ${round}`);
    }
    expect(acknowledged.length).toBeGreaterThan(100);
  });
});

describe('a process whose disk is full', () => {
  it('is told so by each set that was not committed, and keeps the others', async () => {
    using folder = temporaryFolder();
    // No file may grow beyond 256 KiB; Node ignores the signal, so that writes fail as on a full disk.
    const { code, acknowledged, stderr } = await startChild(folder.path, 'leave', 1, 5000, 'ulimit -f 256')
      .ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/ERR_CACHE_FAILED/);
    expect(acknowledged.length).toBeGreaterThan(0);
    expect(acknowledged.length).toBeLessThan(5000);
    await expectNumbers(folder.path, acknowledged, 'before it was full');
  });
});

describe('processes that share a folder', () => {
  it('lose nothing, whether their files are the same or not', async () => {
    using folder = temporaryFolder();
    const firsts = [0, 0, 5000];
    const children = firsts.map((first) => startChild(folder.path, 'close', first, 1500));
    for (const { ended } of children) {
      const { code, acknowledged, stderr } = await ended;
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(acknowledged).toHaveLength(1500);
    }
    const numbers = [0, 5000].flatMap((first) => Array.from({ length: 1500 }, (_, i) => first + i));
    await expectNumbers(folder.path, numbers, 'both ranges');
  });
});

describe('a process with an open store', () => {
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
