// Real graphs, and what the ONNX backend tests expect of them, through both engines.
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Tensor } from '../../src/contract/index.js';
import { ModelCache } from '../../src/models/model-cache.js';
import { codeOf, messageOf } from '../../src/util/errors.js';
import { chainGraph } from '../support/graphs.js';
import { readTensorProto } from '../support/tensor-proto.js';

const FOLDER = path.join(process.env.SPILLWAY_CORPUS ?? '', 'onnx');
const RELATIVE = 1e-3;
const ABSOLUTE = 1e-5;

const engines = ['native', 'stock'] as const;
const caches = Object.fromEntries(
  engines.map((engine) => [engine, new ModelCache({ engine, device: 'cpu', threads: 2 })]),
) as Record<(typeof engines)[number], ModelCache>;
afterAll(() => Promise.all(Object.values(caches).map((cache) => cache.close())));

const read = (file: string) => readTensorProto(readFileSync(file));

function expectClose(actual: Tensor | undefined, expected: Tensor, name: string): void {
  expect(actual?.type, name).toBe(expected.type);
  expect(actual?.dims, name).toEqual(expected.dims);
  for (let i = 0; i < expected.data.length; i++) {
    const [is, should] = [actual?.data[i], expected.data[i]];
    const close =
      typeof should === 'number' && typeof is === 'number'
        ? Object.is(is, should) || Math.abs(is - should) <= ABSOLUTE + RELATIVE * Math.abs(should)
        : is === should;
    if (!close) expect.fail(`${name}[${i}]: expected ${should} but received ${is}`);
  }
}

const ARCHITECTURES = ['squeezenet', 'resnet50', 'shufflenet'];

/** Runs a whole architecture and throws where its output is wrong. */
async function expectArchitecture(cache: ModelCache, name: string): Promise<void> {
  using model = await cache.acquire(path.join(FOLDER, `light_${name}.onnx`));
  const [input] = model.inputMetadata;
  const dims = (input?.dims ?? []).map((size, index) => (index === 0 || typeof size === 'string' ? 1 : size));
  const elements = dims.reduce((product, size) => product * size, 1);
  const data = Float32Array.from({ length: elements }, (_, i) => i / elements);
  const outputs = await model.run({ [input?.name ?? '']: { type: 'float32', dims, data } });
  const expected = read(path.join(FOLDER, `light_${name}_output_0.pb`));
  expectClose(outputs[model.outputNames[0] ?? ''], expected, name);
}

describe.each(engines)('whole architectures through the %s engine', (engine) => {
  it.each(ARCHITECTURES)('%s gives the expected output', async (name) => {
    await expectArchitecture(caches[engine], name);
    expect(caches[engine].stats().engine?.name).toBe(engine);
  });
});

it.each(ARCHITECTURES)('%s is charged what memory grows by', async (name) => {
  const script = path.join(import.meta.dirname, '../models/load-and-measure.mjs');
  const [warm, file] = [ARCHITECTURES[0], name].map((each) => path.join(FOLDER, `light_${each}.onnx`));
  const child = promisify(execFile)(process.execPath, ['--expose-gc', script, warm ?? '', file ?? '']);
  const { grown, charged } = JSON.parse((await child).stdout) as { grown: number; charged: number };
  expect(Math.abs(charged - grown)).toBeLessThan(Math.max(2e6, 0.05 * grown));
});

const graphs = ['pytorch-converted', 'pytorch-operator', 'simple'].flatMap((group) =>
  readdirSync(path.join(FOLDER, group)).map((name) => path.join(FOLDER, group, name)),
);

/** 'passed', or the code of the refusal; throws where a result is wrong. */
async function outcome(cache: ModelCache, graph: string): Promise<string> {
  const data = path.join(graph, 'test_data_set_0');
  try {
    using model = await cache.acquire(path.join(graph, 'model.onnx'));
    const feeds = model.inputNames.map((name, i) => [name, read(path.join(data, `input_${i}.pb`))]);
    const outputs = await model.run(Object.fromEntries(feeds));
    for (const [i, name] of model.outputNames.entries())
      expectClose(outputs[name], read(path.join(data, `output_${i}.pb`)), `${graph}: ${name}`);
    return 'passed';
  } catch (error) {
    if (codeOf(error) !== 'ERR_MODEL_REJECTED') throw error;
    return `rejected: ${messageOf(error)}`;
  }
}

describe('small graphs', () => {
  it('give the expected outputs, or are refused by both engines alike', async () => {
    const refused: string[] = [];
    for (const graph of graphs) {
      const [ours, stock] = [await outcome(caches.native, graph), await outcome(caches.stock, graph)];
      expect(stock.split(':')[0], `${graph}: ${ours} | ${stock}`).toBe(ours.split(':')[0]);
      if (ours !== 'passed')
        refused.push(`${path.basename(graph)}: ${ours.replace(/^rejected: /, '').slice(0, 140)}`);
    }
    console.log(
      `${graphs.length - refused.length} of ${graphs.length} pass; refused by both:\n${refused.join('\n')}`,
    );
    expect(graphs.length).toBeGreaterThan(0);
    expect(refused.length).toBeLessThan(graphs.length / 3);
  });
});

describe.each(engines)('within 64 MB, where each is evicted before the next, the %s engine', (engine) => {
  const BUDGET = 64e6;
  const LONG_AGO = new Date('2020-01-01');
  let folder: string;
  let cache: ModelCache;
  /** More than the budget together, so that loading them all drives everything else out. */
  let ballast: string[];

  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'spillway-ballast-'));
    ballast = Array.from({ length: 6 }, (_, seed) => {
      const file = path.join(folder, `${seed}.onnx`);
      writeFileSync(file, chainGraph({ layers: 1, width: 1740, distinct: true, seed }));
      utimesSync(file, LONG_AGO, LONG_AGO);
      return file;
    });
    cache = new ModelCache({ engine, device: 'cpu', threads: 2, maxBytes: BUDGET });
  });
  afterAll(async () => {
    await cache.close();
    rmSync(folder, { recursive: true });
  });

  /** Loads ballast until nothing but ballast is left. */
  async function driveOut(): Promise<void> {
    const left = new Set(cache.stats().models.map(({ sha256 }) => sha256));
    ballast.reverse(); // those used last are still there: one load drives out the rest
    for (const file of ballast) {
      using model = await cache.acquire(file);
      left.delete(model.sha256);
      expect(cache.stats().bytes).toBeLessThanOrEqual(BUDGET);
    }
    expect(cache.stats().models.filter(({ sha256 }) => left.has(sha256))).toEqual([]);
  }

  it('gives the same results', async () => {
    let passed = 0;
    for (const graph of graphs) {
      const before = cache.stats().evictions.room;
      const [within, without] = [await outcome(cache, graph), await outcome(caches[engine], graph)];
      expect(within, graph).toBe(without);
      if (within !== 'passed') continue;
      passed++;
      await driveOut();
      expect(cache.stats().evictions.room, graph).toBeGreaterThan(before);
    }
    expect(passed).toBeGreaterThan(0);
  });

  it.each(ARCHITECTURES)('gives the expected output of %s, or says that it is larger', async (name) => {
    // Its weights are made at the load: 102 MB of them.
    const failure = await expectArchitecture(cache, name).catch((error: unknown) => error);
    if (failure === undefined) await driveOut();
    else expect(failure).toMatchObject({ code: 'ERR_BUDGET_EXCEEDED' });
    expect(failure === undefined).toBe(name !== 'resnet50');
  });
});
