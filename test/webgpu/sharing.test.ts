// Many sessions on one WebGPU device: ONNX Runtime crashes where two of them load, run or are freed at the same time.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ModelCache } from '../../src/models/model-cache.js';
import { native } from '../../src/native/load.js';
import { chainGraph } from '../support/graphs.js';

const WIDTH = 32;
const files: string[] = [];
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'spillway-webgpu-'));
  for (let seed = 0; seed < 4; seed++) {
    const file = path.join(folder, `${seed}.onnx`);
    writeFileSync(file, chainGraph({ layers: 4, width: WIDTH, distinct: true, seed }));
    files.push(file);
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

const rows = 64;
const x = {
  type: 'float32' as const,
  dims: [rows, WIDTH],
  data: Float32Array.from({ length: rows * WIDTH }, (_, i) => (i % 13) / 13),
};

/** A figure of the result of each graph, as the CPU has it. */
async function expectedFigures(): Promise<number[]> {
  await using cache = new ModelCache({ device: 'cpu' });
  return await Promise.all(files.map((file) => figureOf(cache, file)));
}

async function figureOf(cache: ModelCache, file: string): Promise<number> {
  using model = await cache.acquire(file);
  return (await model.run({ x })).y?.data[WIDTH + 3] as number;
}

it('loads, runs and frees them at the same time', async () => {
  const expected = await expectedFigures();
  await using cache = new ModelCache({ device: 'webgpu' });
  await using other = new ModelCache({ device: 'webgpu' });
  const lane = async (lane: number) => {
    for (let turn = 0; turn < 15; turn++) {
      const which = (lane + turn) % files.length;
      const figure = await figureOf(lane % 2 ? cache : other, files[which] as string);
      expect(figure).toBeCloseTo(expected[which] as number, 4);
      if (turn % 3 === 0) native().governor.reclaim(1); // as under pressure, from the thread that asks
      if (turn % 4 === 0) await cache.evict();
    }
  };
  await Promise.all([0, 1, 2, 3].map(lane));
  expect(cache.stats().reloads + other.stats().reloads).toBeGreaterThan(2);
});

it('serves several threads, some of which are ended in mid-run', async () => {
  const expected = await expectedFigures();
  const script = fileURLToPath(new URL('./lane.mjs', import.meta.url));
  const worker = (which: number) =>
    new Worker(script, { workerData: { file: files[which], dims: x.dims, data: x.data } });
  const figures = await Promise.all(
    [0, 1, 2].map(async (which) => {
      const doomed = worker(3);
      const figure = await new Promise<number>((resolve, reject) => {
        const lane = worker(which);
        lane.once('message', resolve).once('error', reject);
      });
      await doomed.terminate();
      return figure;
    }),
  );
  for (const [which, figure] of figures.entries()) expect(figure).toBeCloseTo(expected[which] as number, 4);
});
