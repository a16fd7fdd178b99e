// Photos whose model runs on a device that fails: the graph itself is on the CPU, and what stands before it says otherwise.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { summaryOf, summaryText } from '../../src/cli/summary.js';
import type { Model } from '../../src/models/model.js';
import type { AcquireOptions } from '../../src/models/model-cache-options.js';
import type { Result } from '../../src/pipeline/workload.js';
import { scan } from '../../src/scan/scan.js';
import { Spillway } from '../../src/spillway.js';
import { type ErrorCode, SpillwayError } from '../../src/util/errors.js';
import { type PhotosOptions, photos } from '../../src/workloads/photos.js';
import { meanColourGraph } from '../support/graphs.js';

const SAMPLES = path.join(import.meta.dirname, '../../samples');

let spillway: Spillway;
let dir: string;
beforeAll(async () => {
  spillway = await Spillway.open({ device: 'cpu' });
  dir = mkdtempSync(path.join(os.tmpdir(), 'spillway-fallback-'));
});
afterEach(() => vi.restoreAllMocks());
afterAll(async () => {
  await spillway.close();
  rmSync(dir, { recursive: true });
});

/** Says that it is on CUDA, and fails from its second run on. */
function failing(model: Model, code: ErrorCode): Model {
  let runs = 0;
  const guard = () => {
    if (runs++ > 0) throw new SpillwayError(code, 'the device said so');
  };
  const runRows = model.runRows;
  return {
    device: 'cuda',
    sha256: model.sha256,
    engine: model.engine,
    concurrency: model.concurrency,
    inputMetadata: model.inputMetadata,
    outputMetadata: model.outputMetadata,
    run: async (...given: Parameters<Model['run']>) => {
      guard();
      return model.run(...given);
    },
    runRows:
      runRows &&
      (async (...given: Parameters<typeof runRows>) => {
        guard();
        return runRows(...given);
      }),
    [Symbol.dispose]: () => model[Symbol.dispose](),
  } as Partial<Model> as Model;
}

/** The first graph that is acquired is put on a device that fails, and is the last with `last`; lists what was asked for. */
function breakDevice(code: ErrorCode, last = false): (AcquireOptions | undefined)[] {
  const { models } = spillway;
  const acquire = models.acquire.bind(models);
  const asked: (AcquireOptions | undefined)[] = [];
  vi.spyOn(models, 'acquire').mockImplementation(async (source, options) => {
    asked.push(options);
    if (last && asked.length > 1) throw new SpillwayError('ERR_MODEL_REJECTED', 'nor here');
    const model = await acquire(source, options);
    return asked.length === 1 ? failing(model, code) : model;
  });
  return asked;
}

async function run(options: PhotosOptions) {
  const source = scan(SAMPLES, { stat: true, include: ['*.jpg'] });
  const running = spillway.run(source, photos({ maxBatch: 1, ...options }), { workers: 2 });
  const results: Result[] = [];
  for await (const result of running) results.push(result);
  results.sort((a, b) => (a.path < b.path ? -1 : 1));
  return { results, stats: running.stats() };
}

const graph = (name: string, dims: (number | string)[]) => {
  const file = path.join(dir, name);
  writeFileSync(file, meanColourGraph({ dims }));
  return file;
};

describe.each<[string, () => PhotosOptions]>([
  ['the bundled graph', () => ({})],
  ['a graph of the user', () => ({ model: graph('free.onnx', ['n', 3, 32, 32]) })],
  ['a graph of fixed rows', () => ({ model: graph('fixed.onnx', [2, 3, 32, 32]) })],
])('photos with %s', (_, options) => {
  it.each([
    ['is lost', 'ERR_DEVICE_LOST'],
    ['has no memory', 'ERR_OUT_OF_MEMORY'],
  ] as const)('go on, on the CPU, when the device %s', async (_name, code) => {
    const expected = await run(options());
    const asked = breakDevice(code);
    const { results, stats } = await run(options());
    expect(results.length).toBeGreaterThan(2);
    expect(results).toEqual(expected.results);
    expect(asked).toEqual([{}, { device: 'cpu' }]);
    const message = 'the device said so';
    expect(stats.served).toMatchObject({ device: 'cuda', fallback: { device: 'cpu', code, message } });
    expect(expected.stats.served).not.toHaveProperty('fallback');
    const summary = summaryOf('photos', stats, 'done');
    expect(summary.fallback).toEqual({ device: 'cpu', code, message });
    expect(summaryText(summary, { cache: false })).toContain(`on cuda, then on cpu (${code}: ${message})`);
    expect(spillway.models.stats().models.every(({ references }) => references === 0)).toBe(true);
  });
});

it('photos take what their stage is told, and say the same', async () => {
  const expected = await run({});
  const acquire = vi.spyOn(spillway.models, 'acquire');
  const infer = {
    device: 'cpu',
    minBatch: 2,
    maxBatch: 4,
    maxLatency: '50ms',
    memoryShare: 0.5,
    cleanup: { every: 2 },
    concurrency: 2,
    priority: 5,
  } as const;
  const { results, stats } = await run({ stages: { infer } });
  expect(results).toEqual(expected.results);
  expect(acquire.mock.calls.map(([, options]) => options)).toEqual([{ device: 'cpu' }]);
  expect(stats.served).toMatchObject({ device: 'cpu' });
});

it('ends the run where the graph cannot be had on the CPU either', async () => {
  breakDevice('ERR_DEVICE_LOST', true);
  await expect(run({})).rejects.toMatchObject({ code: 'ERR_MODEL_REJECTED', message: 'nor here' });
});
