// What the benches of memory stand on: groups of the kernel, traces, comparisons of results, charts.
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { MemoryGroup, whyNoGroups } from '../../bench/harness/cgroup.mjs';
import { lineChart, thinned, ticksOf } from '../../bench/harness/chart.mjs';
import { KINDS, kindOf, mixed } from '../../bench/harness/large-photos.mjs';
import { compareResults } from '../../bench/harness/oom-job.mjs';
import { madeUpTrace, ToldTrace } from '../../bench/harness/traces.mjs';

const MB = 1e6;

// Only root may make groups, and only where the kernel has the controller: whyNoGroups() says which is missing.
describe.skipIf(whyNoGroups() !== undefined)('a memory group', () => {
  const groups: MemoryGroup[] = [];
  afterEach(async () => {
    for (const group of groups.splice(0)) await group.close();
  });
  const open = (limit: number) => {
    const group = new MemoryGroup('test', limit);
    groups.push(group);
    return group;
  };

  it('counts what its members take, and a killed one', async () => {
    const group = open(64 * MB);
    const hungry = group.spawn(process.execPath, ['-e', 'Buffer.alloc(200e6, 1)'], { stdio: 'ignore' });
    const [code, signal] = await once(hungry, 'exit');
    expect({ code, signal, kills: group.kills }).toEqual({ code: null, signal: 'SIGKILL', kills: 1 });
    expect(group.peak).toBeGreaterThan(60 * MB);
    expect(group.peak).toBeLessThanOrEqual(group.limit);
  });

  it('lets a member live that fits, and sees its limit moved', async () => {
    const group = open(128 * MB);
    const modest = group.spawn(process.execPath, ['-e', 'Buffer.alloc(20e6, 1)'], { stdio: 'ignore' });
    expect(await once(modest, 'exit')).toEqual([0, null]);
    expect(group.kills).toBe(0);
    for (const bytes of [256 * MB, 96 * MB]) {
      group.setLimit(bytes);
      expect(group.limit).toBeLessThanOrEqual(bytes);
      expect(group.limit).toBeGreaterThan(bytes - MB);
    }
  });

  it('ends whoever is left when it is closed', async () => {
    const group = open(64 * MB);
    const idle = group.spawn('sleep', ['1000'], { stdio: 'ignore' });
    const members = () => readFileSync(path.join(group.folder, 'cgroup.procs'), 'utf8');
    await expect.poll(members, { timeout: 10_000 }).toContain(String(idle.pid));
    await group.close();
    groups.length = 0;
    expect(idle.exitCode ?? idle.signalCode ?? (await once(idle, 'exit'))[1]).toBe('SIGKILL');
  });
});

describe('results of a run in a small group', () => {
  const reference = ['a', 'b', 'c'].map((name) => ({ path: name, data: { width: 1 } }));
  const refused = { path: 'b', error: { code: 'ERR_BUDGET_EXCEEDED', message: 'too large' } };

  it('are right where they are the same or refused for want of memory', () => {
    expect(compareResults([...reference].reverse(), reference)).toEqual({
      delivered: 3,
      refused: [],
      wrong: [],
    });
    const some = [reference[0], refused, reference[2]] as typeof reference;
    expect(compareResults(some, reference)).toMatchObject({ delivered: 2, refused: [refused], wrong: [] });
  });

  it('are wrong where they differ, are missing, are there twice, failed otherwise, or belong to no photo', () => {
    const wrong = (...results: object[]) => compareResults(results as typeof reference, reference).wrong;
    const [a, b, c] = reference as [object, object, object];
    expect(wrong(a, b, { path: 'c', data: { width: 2 } })).toEqual(['c']);
    expect(wrong(a, b)).toEqual(['c']);
    expect(wrong(a, a, b, c)).toEqual(['a']);
    expect(wrong(a, { path: 'b', error: { code: 'ERR_DECODE', message: '' } }, c)).toEqual(['b']);
    expect(wrong(a, b, c, { path: 'd', data: {} })).toEqual(['d']);
  });
});

describe('large photos', () => {
  it('come in every kind, in thirty as in three hundred, in an order that is always the same', () => {
    const shares = (count: number) =>
      KINDS.map(({ kind }) => mixed(count).filter((photo) => photo.kind === kind).length / count);
    expect(shares(30)).toEqual(KINDS.map(({ of30 }) => of30 / 30));
    expect(shares(300)).toEqual(shares(30));
    expect(mixed(30)).toEqual(mixed(300).slice(0, 30));
    expect(kindOf('/tmp/0012-avif-12mp.avif')).toBe('avif-12mp');
  });
});

describe('a trace that is told by files', () => {
  it('says what the kernel would say in those places', () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'spillway-trace-'));
    const told = new ToldTrace(folder);
    try {
      const job = (file: string) => readFileSync(path.join(told.cgroup, 'memory', 'job', file), 'utf8');
      for (const { usage, inactive, limit, resident } of madeUpTrace(50, 3)) {
        told.tell('limit', limit);
        told.tell('usage', usage);
        told.tell('inactive', inactive);
        told.tell('resident', resident);
        expect(Number(job('memory.limit_in_bytes'))).toBe(limit);
        expect(Number(job('memory.usage_in_bytes'))).toBe(usage);
        expect(Number(/^total_inactive_file (\d+)$/m.exec(job('memory.stat'))?.[1])).toBe(inactive);
        const pages = readFileSync(path.join(told.proc, 'self', 'statm'), 'utf8').split(' ');
        expect(Number(pages[1]) * 4096).toBe(resident);
      }
    } finally {
      told.close();
      rmSync(folder, { recursive: true });
    }
  });

  it('visits every level', () => {
    const shares = madeUpTrace(4000, 1).map(
      ({ usage, inactive, limit }) => (usage - inactive) / (0.75 * limit),
    );
    for (const [least, most] of [
      [0, 0.7],
      [0.7, 0.85],
      [0.85, 0.95],
      [0.95, 2],
    ] as const)
      expect(shares.filter((share) => share >= least && share < most).length).toBeGreaterThan(100);
  });
});

describe('a chart', () => {
  it('has round ticks around its values', () => {
    expect(ticksOf(0, 187)).toEqual([0, 50, 100, 150, 200]);
    expect(ticksOf(3.1, 4.4)).toEqual(expect.arrayContaining([3, 4, 4.5]));
    expect(ticksOf(5, 5)).toHaveLength(2);
  });

  it('keeps the peaks of a line that is too long to draw', () => {
    const points = Array.from({ length: 10_000 }, (_, x) => [x, x === 5003 ? 99 : x % 7] as const);
    const kept = thinned(points, (x) => Math.floor(x / 100));
    expect(kept.length).toBeLessThanOrEqual(200);
    expect(kept).toContainEqual([5003, 99]);
  });

  it('is one well-formed file, whatever its names hold', () => {
    const svg = lineChart({
      title: 'a < b & "c"',
      units: { x: 's', y: 'MB' },
      lines: [
        {
          name: '<working set>',
          points: [
            [0, 1],
            [1, 5],
          ],
        },
        { name: 'empty', points: [] },
      ],
      strip: 'level',
      spans: [{ name: 'HIGH', from: 0, to: 1, weight: 2 }],
      marks: [{ x: 0.5, text: 'killed' }],
    });
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
    expect(svg).not.toContain('<working');
    // Every element that is opened is closed, the last first.
    const open: string[] = [];
    for (const [, closing, name, , alone] of svg.matchAll(/<(\/?)(\w+)((?:\s[\w:-]+="[^"<]*")*)\s*(\/?)>/g))
      if (closing) expect(open.pop()).toBe(name);
      else if (!alone) open.push(name as string);
    expect(open).toEqual([]);
    expect(svg).toContain('prefers-color-scheme: dark');
  });
});
