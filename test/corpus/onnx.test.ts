// Real graphs, and what the ONNX backend tests expect of them, through both engines.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Tensor } from '../../src/contract/index.js';
import { ModelCache } from '../../src/models/model-cache.js';
import { codeOf, messageOf } from '../../src/util/errors.js';
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

describe.each(engines)('whole architectures through the %s engine', (engine) => {
  it.each(['squeezenet', 'resnet50', 'shufflenet'])('%s gives the expected output', async (name) => {
    using model = await caches[engine].acquire(path.join(FOLDER, `light_${name}.onnx`));
    expect(model.engine.name).toBe(engine);
    const [input] = model.inputMetadata;
    const dims = (input?.dims ?? []).map((size, index) =>
      index === 0 || typeof size === 'string' ? 1 : size,
    );
    const elements = dims.reduce((product, size) => product * size, 1);
    const data = Float32Array.from({ length: elements }, (_, i) => i / elements);
    const outputs = await model.run({ [input?.name ?? '']: { type: 'float32', dims, data } });
    const expected = read(path.join(FOLDER, `light_${name}_output_0.pb`));
    expectClose(outputs[model.outputNames[0] ?? ''], expected, name);
  });
});

describe('small graphs', () => {
  const graphs = ['pytorch-converted', 'pytorch-operator', 'simple'].flatMap((group) =>
    readdirSync(path.join(FOLDER, group)).map((name) => path.join(FOLDER, group, name)),
  );

  /** 'passed', or the code of the refusal; throws where a result is wrong. */
  async function outcome(engine: (typeof engines)[number], graph: string): Promise<string> {
    const data = path.join(graph, 'test_data_set_0');
    try {
      using model = await caches[engine].acquire(path.join(graph, 'model.onnx'));
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

  it('give the expected outputs, or are refused by both engines alike', async () => {
    const refused: string[] = [];
    for (const graph of graphs) {
      const [ours, stock] = [await outcome('native', graph), await outcome('stock', graph)];
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
