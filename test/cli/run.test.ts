import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lines, spillway, start } from '../support/cli.js';
import { overNative } from '../support/paths.js';
import { makePhotos } from '../support/photos.js';

const PHOTOS = 24;
const PHOTOS_ONLY = ['--workload', 'photos'];
let dir: string;
let cacheNumber = 0;
const cache = () => path.join(dir, `cache-${cacheNumber++}`);
const at = (name: string) => path.join(dir, name);
const readLines = (file: string) => lines(readFileSync(file, 'utf8'));
const readJson = (file: string) => JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
/** Result lines without what may differ between a computed and a stored one. */
const sorted = (file: string) =>
  readLines(file)
    .map(({ cached, ...rest }) => rest)
    .sort((a, b) => (String(a.path) < String(b.path) ? -1 : 1));

beforeAll(async () => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'spillway-cli-'));
  await makePhotos(at('photos'), PHOTOS);
  writeFileSync(at('photos/broken.jpg'), readFileSync(at('photos/photo-000000.jpg')).subarray(0, 9000));
  writeFileSync(at('photos/text.jpg'), 'not a photo');
});
afterAll(() => rmSync(dir, { recursive: true }));

describe('spillway run', () => {
  it('writes one line a file, typed failures among them, and a summary that says who served', async () => {
    const { code, stdout, stderr } = await spillway([
      'run',
      at('photos'),
      ...PHOTOS_ONLY,
      '--no-cache',
      '--summary',
      at('s.json'),
    ]);
    expect(code).toBe(1);
    const results = lines(stdout);
    expect(results.length).toBe(PHOTOS + 2);
    expect(new Set(results.map((result) => result.path)).size).toBe(PHOTOS + 2);
    expect(results.filter((result) => result.error)).toHaveLength(2);
    for (const result of results)
      if (result.error)
        expect(result).toMatchObject({ size: expect.any(Number), error: { code: 'ERR_DECODE' } });
      else
        expect(result).toMatchObject({
          kind: 'photo',
          cached: false,
          sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
          data: { format: 'jpeg', width: 640, height: 480, phash: expect.stringMatching(/^[0-9a-f]{16}$/) },
        });
    expect(readJson(at('s.json'))).toMatchObject({
      state: 'done',
      workload: 'photos',
      files: PHOTOS + 2,
      failed: 2,
      cached: 0,
      hitRate: 0,
      engine: overNative ? 'native' : 'stock',
      device: 'cpu',
      native: { loaded: overNative },
      nearDuplicates: expect.any(Array),
    });
    const { peakRssBytes, budgetBytes, baselineRssBytes } = readJson(at('s.json'));
    expect(peakRssBytes).toBeLessThan(budgetBytes as number);
    expect(baselineRssBytes).toBeLessThan(peakRssBytes as number);
    expect(stderr).toMatch(
      overNative ? /engine native on cpu; native addon/ : /engine stock on cpu; JavaScript path/,
    );
  });

  it('finishes from the store when it is typed again, with the same data', async () => {
    const dirs = ['--cache', cache()];
    await spillway(['run', at('photos'), ...PHOTOS_ONLY, ...dirs, '--out', at('a.jsonl')]);
    const again = await spillway([
      'run',
      at('photos'),
      ...PHOTOS_ONLY,
      ...dirs,
      '--out',
      at('b.jsonl'),
      '--summary',
      at('b.json'),
    ]);
    expect(again.code).toBe(1);
    expect(readJson(at('b.json'))).toMatchObject({ hitRate: 1, cached: PHOTOS + 2, failed: 2, engine: null });
    expect(sorted(at('b.jsonl'))).toEqual(sorted(at('a.jsonl')));
    expect(readLines(at('b.jsonl')).every(({ cached }) => cached === true)).toBe(true);
    expect(existsSync(at('a.jsonl.partial'))).toBe(false);
  });

  it('gives the same bytes of data with one worker and under a small budget', async () => {
    const small = overNative ? '200MB' : '300MB';
    await spillway([
      'run',
      at('photos'),
      ...PHOTOS_ONLY,
      '--no-cache',
      '--out',
      at('one.jsonl'),
      '--workers',
      '1',
    ]);
    await spillway([
      'run',
      at('photos'),
      ...PHOTOS_ONLY,
      '--no-cache',
      '--out',
      at('small.jsonl'),
      '--budget',
      small,
      '--summary',
      at('small.json'),
    ]);
    await spillway(['run', at('photos'), ...PHOTOS_ONLY, '--no-cache', '--out', at('all.jsonl')]);
    const reference = JSON.stringify(sorted(at('all.jsonl')));
    expect(JSON.stringify(sorted(at('one.jsonl')))).toBe(reference);
    expect(JSON.stringify(sorted(at('small.jsonl')))).toBe(reference);
    const { peakRssBytes, budgetBytes } = readJson(at('small.json'));
    expect(peakRssBytes).toBeLessThan(budgetBytes as number);
  });

  it('stops at Ctrl-C, says how to go on, and goes on', async () => {
    const many = await makePhotos(at('many'), 60);
    const dirs = ['--cache', cache()];
    // Standard input stays open, so the job cannot be done before it is stopped.
    const { child, ended, soFar } = start(['run', '-', ...dirs, '--json'], { input: 'open' });
    child.stdin?.write(`${many.join('\n')}\n`);
    while (lines(soFar().stdout).length < 20) await new Promise((resolve) => setTimeout(resolve, 10));
    child.kill('SIGINT');
    const { code, signal, stderr } = await ended;
    expect({ code, signal }).toEqual({ code: 4, signal: null });
    const summary = lines(stderr).at(-1) as Record<string, unknown>;
    expect(summary).toMatchObject({ type: 'summary', state: 'stopped' });
    await spillway(['run', at('many'), ...dirs, '--out', at('stop.jsonl'), '--summary', at('stop.json')]);
    expect(readLines(at('stop.jsonl'))).toHaveLength(60);
    expect(readJson(at('stop.json')).cached).toBeGreaterThanOrEqual(summary.files as number);
  });

  it('leaves an unfinished output beside its name', async () => {
    const { child, ended, soFar } = start(
      ['run', '-', ...PHOTOS_ONLY, '--no-cache', '--out', at('part.jsonl')],
      {
        input: 'open',
      },
    );
    child.stdin?.write(`${at('photos/text.jpg')}\n`);
    while (!soFar().stderr.includes('ERR_DECODE')) await new Promise((resolve) => setTimeout(resolve, 10));
    child.kill('SIGTERM');
    expect((await ended).code).toBe(4);
    expect(existsSync(at('part.jsonl'))).toBe(false);
    expect(readLines(at('part.jsonl.partial'))).toHaveLength(1);
    expect((await ended).stderr).toMatch(/part\.jsonl\.partial/);
  });

  it('never scans its own cache and outputs', async () => {
    mkdirSync(at('own'));
    writeFileSync(at('own/x.jpg'), readFileSync(at('photos/photo-000000.jpg')));
    const args = ['run', '.', '--cache', 'kept', '--out', 'out.jsonl', '--summary', 'sum.json'];
    await spillway(args, { cwd: at('own') });
    await spillway(args, { cwd: at('own') });
    expect(readLines(at('own/out.jsonl')).map((result) => result.path)).toEqual(['./x.jpg']);
  });

  it('sends each file to its workload unless told', async () => {
    const { code, stdout } = await spillway(['run', at('photos'), '--no-cache']);
    expect(code).toBe(1);
    const kinds = new Map(lines(stdout).map((result) => [path.basename(String(result.path)), result]));
    expect(kinds.get('photo-000000.jpg')).toMatchObject({ kind: 'photo' });
    expect(kinds.get('text.jpg')).toMatchObject({ kind: 'file', data: { text: { words: 3 } } });
    expect(kinds.get('broken.jpg')).toMatchObject({ error: { code: 'ERR_DECODE' } });
  });

  it('takes paths from standard input', async () => {
    const names = ['photo-000001.jpg', 'photo-000002.jpg'].map((name) => at(`photos/${name}`));
    for (const input of [names.join('\0'), `${names.join('\n')}\n`]) {
      const { stdout } = await spillway(['run', '-', '--no-cache'], { input });
      expect(
        lines(stdout)
          .map((result) => result.path)
          .sort(),
      ).toEqual(names);
    }
  });

  it('selects by include and exclude', async () => {
    const { stdout } = await spillway([
      'run',
      at('photos'),
      ...PHOTOS_ONLY,
      '--no-cache',
      '--include',
      '*-00000[0-3].jpg',
      '--exclude',
      '*2.jpg',
    ]);
    expect(
      lines(stdout)
        .map((result) => path.basename(String(result.path)))
        .sort(),
    ).toEqual(['photo-000000.jpg', 'photo-000001.jpg', 'photo-000003.jpg']);
  });

  it('stops at the first failed item with --strict', async () => {
    mkdirSync(at('texts'));
    for (let i = 0; i < 20; i++) writeFileSync(at(`texts/${i}.jpg`), `not a photo ${i}`);
    const { code, stdout } = await spillway(['run', at('texts'), ...PHOTOS_ONLY, '--no-cache', '--strict']);
    expect(code).toBe(1);
    expect(lines(stdout)).toHaveLength(1);
  });

  it('writes nothing but JSON to standard error with --json, the summary last', async () => {
    const { stderr } = await spillway([
      'run',
      at('photos'),
      ...PHOTOS_ONLY,
      '--no-cache',
      '--json',
      '--out',
      at('j.jsonl'),
    ]);
    const messages = lines(stderr);
    expect(messages.at(-1)).toMatchObject({ type: 'summary', files: PHOTOS + 2 });
    expect(messages.filter(({ type }) => type === 'note')).toHaveLength(2);
  });

  it.each([
    [2, ['run']],
    [2, ['run', 'x', '--workload', 'astrology']],
    [2, ['run', 'x', '--budget', 'much']],
    [2, ['run', 'x', '--workers', 'none']],
    [2, ['run', 'x', '--out', 'x.csv']],
    [2, ['run', 'x', '--out', '/nowhere/x.jsonl']],
    [2, ['frobnicate']],
    [3, ['run', 'x', '--no-cache', '--budget', '30MB']],
    [1, ['run', 'does-not-exist', '--no-cache']],
    [0, ['--help']],
  ])('exits %d for %j', async (expected, args) => {
    const { code, stderr } = await spillway(args, { cwd: dir });
    expect({ code, stderr }).toMatchObject({ code: expected });
    if (expected > 1) expect(stderr).toMatch(/expected|missing|unknown|ENOENT/);
  });

  it('refuses a device that is not there and says why', async () => {
    const { code, stderr } = await spillway([
      'run',
      at('photos'),
      ...PHOTOS_ONLY,
      '--no-cache',
      '--device',
      'cuda',
    ]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/ERR_DEVICE_UNAVAILABLE.*cuda/);
  });
});
