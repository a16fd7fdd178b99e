// The heap of the command line fits the budget: what V8 itself says of its limit in a running job.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { heapFlags } from '../../src/cli/heap.js';
import { spillway } from '../support/cli.js';
import { overNative } from '../support/paths.js';

const dir = mkdtempSync(path.join(os.tmpdir(), 'spillway-heap-'));
afterAll(() => rmSync(dir, { recursive: true }));

it('takes a quarter of the budget, but never so little that V8 could run out', () => {
  expect(heapFlags(4 * 2 ** 30)).toEqual(['--max-old-space-size=1024', '--max-semi-space-size=16']);
  expect(heapFlags(128 * 2 ** 20)).toEqual([
    '--max-old-space-size=64',
    '--max-semi-space-size=1',
    '--optimize-for-size',
  ]);
});

// A process can replace itself only through the addon.
it.runIf(overNative)('is what a job runs with, unless its user chose a heap', async () => {
  writeFileSync(path.join(dir, 'a.txt'), 'one line\n');
  const say = path.join(dir, 'say.cjs');
  writeFileSync(
    say,
    "process.on('exit', () => process.stderr.write('heap ' + require('v8').getHeapStatistics().heap_size_limit + '\\n'));",
  );
  const heapOf = async (options: string) => {
    const { stderr, code } = await spillway(
      ['run', path.join(dir, 'a.txt'), '--workload', 'metadata', '--no-cache', '--budget', '400MB'],
      { env: { NODE_OPTIONS: options } },
    );
    expect(code).toBe(0);
    return Number(/heap (\d+)/.exec(stderr)?.[1]) / 2 ** 20;
  };
  const fitted = await heapOf(`--require ${say}`);
  expect(fitted).toBeGreaterThanOrEqual(95);
  expect(fitted).toBeLessThan(150);
  expect(await heapOf(`--require ${say} --max-old-space-size=300`)).toBeGreaterThan(299);
});
