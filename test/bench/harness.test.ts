// What the benches make of their samples, and that they do not speak of times whose sides disagree.
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { choose, findCases } from '../../bench/harness/cases.mjs';
import { makeLine } from '../../bench/harness/line.mjs';
import { runChoices } from '../../bench/harness/run-cases.mjs';
import { median, quantile, spread } from '../../bench/harness/statistics.mjs';

const BENCH = path.join(import.meta.dirname, '..', '..', 'bench');
const FIXTURE = path.join(import.meta.dirname, 'fixture');
const CONTEXT = { quick: true, native: true, cores: 2 };
const ABOUT = { data: '3 files', path: 'native' as const };

async function bench(...patterns: string[]) {
  const lines: Record<string, unknown>[] = [];
  const failed = await runChoices(choose(await findCases(FIXTURE), patterns), CONTEXT, (line) =>
    lines.push(line as Record<string, unknown>),
  );
  return { failed, lines };
}

describe('statistics of the benches', () => {
  it('take the middle value, or the mean of the two middle ones', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([9, 1, 5, 7])).toBe(6);
    expect(() => median([])).toThrow(RangeError);
  });

  it('give the interquartile range as a share of the median', () => {
    expect(quantile([1, 2, 3, 4, 5], 0.25)).toBe(2);
    expect(spread([1, 2, 3, 4, 5])).toBeCloseTo(2 / 3);
    expect(spread([0, 0, 0])).toBe(0);
  });
});

describe('a line of the benches', () => {
  it('compares medians, with ratios that say how many times better ours is', () => {
    const line = makeLine(
      'a.case',
      { metric: 'ms', better: 'lower', target: { limit: 'c', atMost: 1.2, atLeast: { slow: 2 } } },
      { ours: [11, 10, 90], c: [9, 10, 11], slow: [22, 23, 21] },
      ABOUT,
    );
    expect(line).toEqual({
      case: 'a.case',
      metric: 'ms',
      better: 'lower',
      ours: 11,
      path: 'native',
      pass: true,
      peers: { slow: 22 },
      limit: { name: 'c', value: 10 },
      ratio: { limit: 1.1, slow: 2 },
      runs: 3,
      spread: expect.closeTo(3.636, 3),
      data: '3 files',
      node: process.versions.node,
    });
  });

  it('turns the ratio round where more is better', () => {
    const measure = { metric: 'rows/s', better: 'higher', target: { atLeast: { peer: 3 } } } as const;
    expect(makeLine('a', measure, { ours: [30], peer: [10] }, ABOUT)).toMatchObject({
      ratio: { peer: 3 },
      pass: true,
    });
    expect(makeLine('a', measure, { ours: [29], peer: [10] }, ABOUT).pass).toBe(false);
  });

  it('gives a difference where the bound is zero', () => {
    const measure = {
      metric: 'crashes',
      better: 'lower',
      target: { limit: { name: 'bound', value: 0 } },
    } as const;
    const line = makeLine('a', measure, { ours: [2] }, ABOUT);
    expect(line).toMatchObject({ pass: false, difference: { limit: 2 } });
    expect(line.ratio).toBeUndefined();
    expect(makeLine('a', measure, { ours: [0] }, ABOUT).pass).toBe(true);
  });

  it('names no ratio to a peer where ours is nothing', () => {
    const measure = {
      metric: 'kills',
      better: 'lower',
      target: { limit: { name: 'bound', value: 0 }, atLeast: { naive: 1 } },
    } as const;
    const line = makeLine('a', measure, { ours: [0], naive: [6] }, ABOUT);
    expect(line).toMatchObject({ pass: true, peers: { naive: 6 }, difference: { limit: 0 } });
    expect(line.ratio).toBeUndefined();
    expect(makeLine('a', measure, { ours: [0], naive: [0] }, ABOUT).pass).toBe(false);
  });

  it('misses its target when either the limit or a peer says so', () => {
    const measure = {
      metric: 'ms',
      better: 'lower',
      target: { limit: { name: 'bound', value: 5 }, atLeast: { peer: 2 } },
    } as const;
    expect(makeLine('a', measure, { ours: [5], peer: [10] }, ABOUT).pass).toBe(true);
    expect(makeLine('a', measure, { ours: [5], peer: [9.9] }, ABOUT).pass).toBe(false);
    expect(makeLine('a', measure, { ours: [5.1], peer: [99] }, ABOUT).pass).toBe(false);
  });

  it('is not made from figures that are missing', () => {
    const measure = { metric: 'ms', better: 'lower', target: { limit: 'c' } } as const;
    expect(() => makeLine('a', measure, { ours: [5] }, ABOUT)).toThrow(/figure of c/);
    expect(() => makeLine('a', measure, { ours: [Number.NaN], c: [1] }, ABOUT)).toThrow(/figure of ours/);
  });
});

describe('a case of the benches', () => {
  it('runs every side in a process of its own and tells one line', async () => {
    const { failed, lines } = await bench('made.up');
    expect(failed).toBe(0);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ case: 'made.up', ours: 6, pass: true, runs: 3, data: 'nothing' });
    expect(lines[0]?.limit).toEqual({ name: 'floor', value: 5 });
    expect(Object.keys(lines[0]?.peers as object)).toEqual([expect.stringMatching(/^peer@4\./)]);
  });

  it('that misses its target has run all the same', async () => {
    const { failed, lines } = await bench('made.slow');
    expect(failed).toBe(0);
    expect(lines[0]).toMatchObject({ pass: false, ratio: { peer: 1.833 } });
  });

  it('whose sides deliver different results fails, without a time', async () => {
    const { failed, lines } = await bench('made.unequal');
    expect(failed).toBe(1);
    expect(lines).toEqual([{ case: 'made.unequal', error: expect.stringContaining('deliver the same') }]);
  });

  it('one of whose processes dies fails', async () => {
    const { failed, lines } = await bench('made.crash');
    expect(failed).toBe(1);
    expect(lines).toEqual([{ case: 'made.crash', error: expect.stringContaining('exit code 9') }]);
  });

  it('that cannot run here says why', async () => {
    const { failed, lines } = await bench('made.skipped');
    expect(failed).toBe(0);
    expect(lines).toEqual([{ case: 'made.skipped', skipped: 'there is no such machine' }]);
  });

  it('is chosen by its name or by what stands before a dot in it', async () => {
    const cases = await findCases(FIXTURE);
    const names = (...patterns: string[]) => choose(cases, patterns).map(({ found }) => found.name);
    expect(names('made')).toHaveLength(5);
    expect(names('made.up', 'made.slow')).toEqual(['made.up', 'made.slow']);
    expect(() => names('made.u')).toThrow(/no case is called made\.u/);
  });
});

describe('npm run bench -- --list', () => {
  it('names a case of every file, each once', async () => {
    const listed = execFileSync(process.execPath, [path.join(BENCH, 'index.mjs'), '--list'], {
      encoding: 'utf8',
    })
      .trim()
      .split('\n');
    expect(new Set(listed).size).toBe(listed.length);
    const files = readdirSync(path.join(BENCH, 'cases')).filter((name) => name.endsWith('.mjs'));
    for (const file of files) {
      const { cases } = (await import(path.join(BENCH, 'cases', file))) as { cases: { name: string }[] };
      expect(cases.length).toBeGreaterThan(0);
      for (const { name } of cases) expect(listed).toContain(name);
    }
  });
});
