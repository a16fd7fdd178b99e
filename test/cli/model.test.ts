import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lines, spillway } from '../support/cli.js';
import { meanColourGraph } from '../support/graphs.js';

let dir: string;
const at = (name: string) => path.join(dir, name);
const run = (...options: string[]) => spillway(['run', at('photos'), '--no-cache', ...options]);

interface Line {
  readonly path: string;
  readonly data: {
    readonly embedding?: readonly number[];
    readonly classes?: readonly { readonly index: number; readonly label?: string; readonly score: number }[];
  };
}
const byName = (stdout: string) =>
  new Map(lines<Line>(stdout).map(({ path: file, data }) => [path.basename(file, '.png'), data]));

beforeAll(async () => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'spillway-cli-model-'));
  mkdirSync(at('photos'));
  for (const [name, background] of [
    ['red', '#f00'],
    ['green', '#0f0'],
  ] as const)
    await sharp({ create: { width: 30, height: 20, channels: 3, background } })
      .png()
      .toFile(at(`photos/${name}.png`));
  const weights = [
    [9, 0],
    [0, 9],
    [0, 0],
  ];
  writeFileSync(at('free.onnx'), meanColourGraph({ weights }));
  writeFileSync(at('fixed.onnx'), meanColourGraph({ layout: 'nhwc', dims: [1, 8, 8, 3] }));
  writeFileSync(at('labels.txt'), 'apple\nleaf\n');
});
afterAll(() => rmSync(dir, { recursive: true }));

describe('spillway run --model', () => {
  it('names classes by their labels', async () => {
    const { code, stdout, stderr } = await run(
      ...['--model', at('free.onnx'), '--model-size', '32', '--labels', at('labels.txt'), '--top', '1'],
    );
    expect({ code, stderr }).toMatchObject({ code: 0 });
    const results = byName(stdout);
    expect(results.get('red')?.classes).toEqual([{ index: 0, label: 'apple', score: 0.999877 }]);
    expect(results.get('green')?.classes).toEqual([{ index: 1, label: 'leaf', score: 0.999877 }]);
  });

  it('gives an embedding, its values from the range asked for', async () => {
    const model = ['--model', at('fixed.onnx'), '--model-layout', 'nhwc', '--model-range', '-1..1'];
    const { stdout } = await run(...model, '--model-result', 'embedding', '--summary', at('s.json'));
    expect(byName(stdout).get('red')?.embedding).toEqual([1, -1, -1]);
    expect(JSON.parse(readFileSync(at('s.json'), 'utf8'))).not.toHaveProperty('nearDuplicates');
  });

  it.each([
    [['--model', 'none.onnx'], /ENOENT.*none\.onnx/],
    [['--model', 'labels.txt'], /ERR_MODEL_REJECTED/],
    [['--model', 'fixed.onnx', '--model-size', '9'], /photos\.size.*received 9/],
    [['--model', 'fixed.onnx', '--model-size', 'big'], /photos\.size/],
    [['--model', 'fixed.onnx', '--model-range', 'odd'], /photos\.range.*"odd"/],
    [['--model', 'fixed.onnx', '--labels', 'labels.txt'], /3 labels.*received 2/],
    [['--top', '3'], /photos\.top/],
    [['--workload', 'metadata', '--model', 'free.onnx'], /photos\.model.*free\.onnx/],
  ])('exits 2 for %j and says why', async (options, message) => {
    const { code, stdout, stderr } = await spillway(['run', 'photos', '--no-cache', ...options], {
      cwd: dir,
    });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(message);
  });

  it('refuses a graph that the budget has no room for', async () => {
    const weights = Array.from({ length: 3 }, () => new Array<number>(3e6).fill(1));
    writeFileSync(at('large.onnx'), meanColourGraph({ weights }));
    const { code, stdout, stderr } = await run('--model', at('large.onnx'), '--budget', '190MB');
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toMatch(/ERR_BUDGET_EXCEEDED.*at least \d+ MB/);
  });

  it('says what it takes in its help', async () => {
    const { stdout } = await spillway(['run', '--help']);
    for (const option of ['--model ', '--model-size', '--model-layout', '--model-range', '--labels', '--top'])
      expect(stdout).toContain(option);
  });
});
