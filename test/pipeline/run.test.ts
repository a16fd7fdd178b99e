import { copyFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Inspection, OpenWorkload, Result, Workload } from '../../src/pipeline/workload.js';
import { scan } from '../../src/scan/scan.js';
import { Spillway } from '../../src/spillway.js';
import { SpillwayError } from '../../src/util/errors.js';

let dir: string;
const files = () => path.join(dir, 'files');
const write = (name: string, text: string) => {
  writeFileSync(path.join(files(), name), text);
  const old = new Date(Date.now() - 60_000);
  utimesSync(path.join(files(), name), old, old);
};

beforeEach(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'spillway-run-'));
  mkdirSync(files());
});
afterEach(() => rmSync(dir, { recursive: true }));

interface Behaviour {
  readonly costBytes?: (text: string) => number;
  readonly finish?: (text: string) => Promise<void> | void;
  readonly identity?: 'stat' | 'content';
}

/** Counts letters; `calls` says what was really computed. */
function lengths({ costBytes = () => 1000, finish = () => undefined, identity = 'stat' }: Behaviour = {}) {
  const calls: string[] = [];
  const observed: string[] = [];
  const open: OpenWorkload = {
    fingerprint: 'lengths/1',
    identity,
    leastBytes: 1000,
    reads: 'whole',
    pending: 4,
    async inspect(bytes): Promise<Inspection> {
      const text = Buffer.from(bytes).toString();
      if (text.startsWith('corrupt')) throw new SpillwayError('ERR_DECODE', 'expected letters');
      if (text.startsWith('passing')) throw new SpillwayError('ERR_OUT_OF_MEMORY', 'not now');
      if (text.startsWith('fatal')) throw new SpillwayError('ERR_ENGINE', 'the engine is gone');
      if (text.startsWith('bug')) throw new TypeError('a mistake of ours');
      return {
        costBytes: costBytes(text),
        keptBytes: 10,
        prepare: async (whole) => {
          const length = whole.length;
          calls.push(text);
          return async () => {
            await finish(text);
            return { kind: 'length', data: { length } };
          };
        },
      };
    },
    observe: (file) => observed.push(path.basename(file)),
    served: () => undefined,
    summary: () => ({ observed: observed.length }),
    async [Symbol.asyncDispose]() {},
  };
  const workload: Workload = { name: 'lengths', open: async () => open };
  return { workload, calls };
}

async function runAll(
  workload: Workload,
  options: { cache?: boolean; workers?: number; signal?: AbortSignal } = {},
) {
  const { cache = true, ...runOptions } = options;
  await using spillway = await Spillway.open(cache ? { cacheDir: path.join(dir, 'cache') } : {});
  const run = spillway.run(scan(files(), { stat: true }), workload, runOptions);
  const results: Result[] = [];
  for await (const result of run) results.push(result);
  return { results, stats: run.stats(), byName: new Map(results.map((r) => [path.basename(r.path), r])) };
}

describe('run', () => {
  it('yields one result a file, failures among them, and counts them', async () => {
    write('a', 'abc');
    write('b', 'corrupt');
    write('c', '');
    const { byName, stats } = await runAll(lengths().workload);
    expect(byName.get('a')).toMatchObject({ kind: 'length', size: 3, cached: false, data: { length: 3 } });
    expect(byName.get('a')).toHaveProperty('sha256', expect.stringMatching(/^ba7816bf/));
    expect(byName.get('b')).toMatchObject({
      size: 7,
      error: { code: 'ERR_DECODE', message: 'expected letters' },
    });
    expect(byName.get('c')).toMatchObject({ data: { length: 0 } });
    expect(stats).toMatchObject({
      files: 3,
      bytes: 10,
      failed: 1,
      cached: 0,
      hitRate: 0,
      extra: { observed: 2 },
    });
  });

  it('takes what it did before from the store, and shows it to the workload again', async () => {
    for (let i = 0; i < 600; i++) write(`f${i}`, 'x'.repeat(i));
    write('bad', 'corrupt');
    const first = lengths();
    const before = await runAll(first.workload);
    expect(first.calls.length).toBe(600);
    const second = lengths();
    const after = await runAll(second.workload);
    expect(second.calls).toEqual([]);
    expect(after.stats).toMatchObject({
      files: 601,
      cached: 601,
      failed: 1,
      hitRate: 1,
      extra: { observed: 600 },
    });
    const plain = (results: Result[]) =>
      results.map((result) => ({ ...result, cached: true })).sort((a, b) => (a.path < b.path ? -1 : 1));
    expect(plain(after.results)).toEqual(plain(before.results));
  });

  it('computes again what changed, and what failed for a reason that passes', async () => {
    write('a', 'abc');
    write('b', 'passing');
    await runAll(lengths().workload);
    write('a', 'abcd');
    write('b', 'now');
    const second = lengths();
    const { byName } = await runAll(second.workload);
    expect(second.calls.sort()).toEqual(['abcd', 'now']);
    expect(byName.get('a')).toMatchObject({ cached: false, data: { length: 4 } });
  });

  it.each([
    ['content', []],
    ['stat', ['abc', 'moved', 'moved', 'touched']],
  ] as const)(
    'knows a file that was moved, copied or touched by %s: recomputes %j',
    async (identity, recomputed) => {
      const at = (name: string) => path.join(files(), name);
      write('copied', 'abc');
      write('renamed', 'moved');
      write('touched', 'touched');
      write('bad', 'corrupt');
      await runAll(lengths({ identity }).workload);
      copyFileSync(at('copied'), at('copy'));
      renameSync(at('renamed'), at('elsewhere'));
      write('second copy', 'moved');
      copyFileSync(at('bad'), at('bad copy'));
      const now = new Date();
      utimesSync(at('touched'), now, now);

      const second = lengths({ identity });
      const { byName, stats } = await runAll(second.workload);
      expect(new Set([...byName.keys()])).toEqual(
        new Set(['copied', 'copy', 'elsewhere', 'second copy', 'touched', 'bad', 'bad copy']),
      );
      expect([...second.calls].sort()).toEqual(recomputed);
      expect(stats.cached).toBe(identity === 'content' ? 7 : 2);
      expect(byName.get('elsewhere')).toMatchObject({ size: 5, data: { length: 5 } });
      expect(byName.get('bad copy')).toMatchObject({ error: { code: 'ERR_DECODE' } });
    },
  );

  it('does not trust stat for a file that had just changed, but its content', async () => {
    writeFileSync(path.join(files(), 'young'), 'abc');
    await runAll(lengths().workload);
    const second = lengths();
    expect((await runAll(second.workload)).byName.get('young')).toMatchObject({ cached: true });
    expect(second.calls).toEqual([]);
  });

  it('forgets everything without a cache folder', async () => {
    write('a', 'abc');
    await runAll(lengths().workload, { cache: false });
    const second = lengths();
    await runAll(second.workload, { cache: false });
    expect(second.calls).toEqual(['abc']);
  });

  it('goes on where an aborted run stopped', async () => {
    for (let i = 0; i < 200; i++) write(`f${i}`, 'x'.repeat(i + 1));
    const abort = new AbortController();
    let finished = 0;
    const first = lengths({
      finish: () => {
        if (++finished === 80) abort.abort(new Error('stop here'));
      },
    });
    await expect(runAll(first.workload, { signal: abort.signal })).rejects.toThrow('stop here');
    const second = lengths();
    const { results, stats } = await runAll(second.workload);
    expect(results.length).toBe(200);
    expect(stats.cached).toBeGreaterThan(50);
    expect(second.calls.length).toBe(200 - stats.cached);
  });

  it('ends with an error that every file would meet, or that is ours', async () => {
    write('a', 'fatal');
    await expect(runAll(lengths().workload)).rejects.toThrow(expect.objectContaining({ code: 'ERR_ENGINE' }));
    write('a', 'bug');
    await expect(runAll(lengths().workload)).rejects.toThrow(TypeError);
  });

  it('stops working when the consumer leaves the loop', async () => {
    for (let i = 0; i < 2000; i++) write(`f${i}`, 'x');
    const { workload, calls } = lengths();
    await using spillway = await Spillway.open();
    const run = spillway.run(scan(files(), { stat: true }), workload);
    for await (const _ of run) break;
    await run.ended;
    expect(calls.length).toBeLessThan(1000);
  });

  it('keeps pace with a slow consumer', async () => {
    for (let i = 0; i < 1500; i++) write(`f${i}`, 'x');
    const { workload, calls } = lengths();
    await using spillway = await Spillway.open();
    const iterator = spillway.run(scan(files(), { stat: true }), workload)[Symbol.asyncIterator]();
    await iterator.next();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(calls.length).toBeLessThan(600);
    await iterator.return();
  });

  it('refuses an item that can never fit and goes on with the others', async () => {
    write('a', 'abc');
    write('b', 'huge');
    const { byName } = await runAll(
      lengths({ costBytes: (text) => (text === 'huge' ? Number.MAX_SAFE_INTEGER / 2 : 1000) }).workload,
    );
    expect(byName.get('a')).toMatchObject({ data: { length: 3 } });
    expect(byName.get('b')).toMatchObject({ error: { code: 'ERR_BUDGET_EXCEEDED' } });
  });

  it('gives everything reserved back, whatever happened', async () => {
    write('a', 'abc');
    write('b', 'corrupt');
    write('c', 'huge');
    await using spillway = await Spillway.open();
    const { workload } = lengths({
      costBytes: (text) => (text === 'huge' ? Number.MAX_SAFE_INTEGER / 2 : 1000),
    });
    for await (const _ of spillway.run(scan(files(), { stat: true }), workload));
    const { accounts } = spillway.memory.snapshot();
    for (const name of ['read', 'decode', 'batch'])
      expect(accounts[name]).toMatchObject({ bytes: 0, reserved: 0 });
    expect(accounts.decode?.peak).toBeGreaterThan(1000);
  });

  it('closes while a run is going on', async () => {
    for (let i = 0; i < 500; i++) write(`f${i}`, 'x');
    const spillway = await Spillway.open();
    const run = spillway.run(scan(files(), { stat: true }), lengths().workload);
    const reading = (async () => {
      for await (const _ of run) await new Promise((resolve) => setTimeout(resolve, 1));
    })();
    const ended = expect(reading).rejects.toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }));
    await spillway.close();
    await ended;
  });
});
