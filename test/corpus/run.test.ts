// The main job over real images: hostile and broken ones among them, twice, and under a small budget.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { lines, spillway } from '../support/cli.js';

const images = path.join(process.env.SPILLWAY_CORPUS ?? '', 'images');
const dir = mkdtempSync(path.join(os.tmpdir(), 'spillway-corpus-'));
const files = readdirSync(images).length;

interface Line {
  readonly path: string;
  readonly cached: boolean;
  readonly data?: unknown;
  readonly error?: { readonly code: string };
}

/** Runs the job and returns its exit code, its result lines by path, and its summary. */
async function run(name: string, ...options: string[]) {
  const at = (suffix: string) => path.join(dir, `${name}.${suffix}`);
  const args = [
    'run',
    images,
    '--workload',
    'photos',
    '--out',
    at('jsonl'),
    '--summary',
    at('json'),
    ...options,
  ];
  const { code } = await spillway(args);
  const results = lines<Line>(readFileSync(at('jsonl'), 'utf8')).sort((a, b) => (a.path < b.path ? -1 : 1));
  const summary = JSON.parse(readFileSync(at('json'), 'utf8')) as Record<string, number>;
  const data = JSON.stringify(results.map(({ path, data, error }) => ({ path, data, error })));
  return { code, results, summary, data };
}

let first: Awaited<ReturnType<typeof run>>;
beforeAll(async () => {
  first = await run('first', '--cache', path.join(dir, 'cache'));
});
afterAll(() => rmSync(dir, { recursive: true }));

it('gives one line a file and typed errors for hostile ones, within the budget', () => {
  expect(first.code).toBe(1);
  expect(new Set(first.results.map((result) => result.path)).size).toBe(files);
  expect(first.results).toHaveLength(files);
  const failed = first.results.filter(({ error }) => error);
  expect(failed.map(({ path: file, error }) => [path.basename(file), error?.code])).toEqual([
    ['65536-uint32-limit.png', 'ERR_PIXEL_LIMIT'],
    ['giant-image.jpg', 'ERR_PIXEL_LIMIT'],
  ]);
  expect(first.summary.peakRssBytes).toBeLessThan(first.summary.budgetBytes as number);
});

it('takes everything from the store the second time, with the same data', async () => {
  const second = await run('second', '--cache', path.join(dir, 'cache'));
  expect(second.summary).toMatchObject({ hitRate: 1, cached: files, failed: 2 });
  expect(second.data).toBe(first.data);
});

it('gives byte-identical data under 200 MB, and stays within them', async () => {
  const small = await run('small', '--no-cache', '--budget', '200MB');
  expect(small.data).toBe(first.data);
  expect(small.summary.peakRssBytes).toBeLessThan(200e6);
});

it('gives byte-identical data with one worker', async () => {
  expect((await run('single', '--no-cache', '--workers', '1')).data).toBe(first.data);
});
