// Whole architectures over real images, through the command line.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { lines, spillway } from '../support/cli.js';

const corpus = process.env.SPILLWAY_CORPUS ?? '';
const images = path.join(corpus, 'images');
const dir = mkdtempSync(path.join(os.tmpdir(), 'spillway-corpus-model-'));
afterAll(() => rmSync(dir, { recursive: true }));

interface Line {
  readonly path: string;
  readonly data?: { readonly classes: readonly { readonly index: number; readonly score: number }[] };
  readonly error?: { readonly code: string };
}

it.each(['squeezenet', 'resnet50', 'shufflenet'])('%s scores 1000 classes for every image', async (name) => {
  const [out, summaryFile] = [path.join(dir, `${name}.jsonl`), path.join(dir, `${name}.json`)];
  const model = path.join(corpus, 'onnx', `light_${name}.onnx`);
  const { code } = await spillway([
    ...['run', images, '--workload', 'photos', '--no-cache', '--model', model, '--top', '1000'],
    ...['--budget', '600MB', '--out', out, '--summary', summaryFile],
  ]);
  expect(code).toBe(1);
  const results = lines<Line>(readFileSync(out, 'utf8'));
  expect(results).toHaveLength(readdirSync(images).length);
  expect(
    results
      .filter(({ error }) => error)
      .map(({ error }) => error?.code)
      .sort(),
  ).toEqual(['ERR_PIXEL_LIMIT', 'ERR_PIXEL_LIMIT']);
  for (const { path: file, data } of results) {
    if (!data) continue;
    expect(data.classes, file).toHaveLength(1000);
    expect(new Set(data.classes.map(({ index }) => index)).size).toBe(1000);
    const sum = data.classes.reduce((all, { score }) => all + score, 0);
    expect(sum, file).toBeCloseTo(1, 2);
  }
  const { peakRssBytes, budgetBytes } = JSON.parse(readFileSync(summaryFile, 'utf8')) as Record<
    string,
    number
  >;
  expect(peakRssBytes).toBeLessThan(budgetBytes as number);
});
