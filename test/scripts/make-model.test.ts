import * as ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { encodeModel } from '../../scripts/make-model/encoder.mjs';
import { GraphBuilder } from '../../scripts/make-model/graph-builder.mjs';
import { identity, mlp, slow } from '../../scripts/make-model/test-graphs.mjs';

async function runRows(model: Uint8Array, rows: number, width: number) {
  const session = await ort.InferenceSession.create(model, { intraOpNumThreads: 1 });
  const data = Float32Array.from({ length: rows * width }, (_, i) => Math.sin(i));
  const { y } = await session.run({ x: new ort.Tensor('float32', data, [rows, width]) });
  await session.release();
  return { x: data, y: y as ort.Tensor };
}

describe('the ONNX encoder', () => {
  it('writes inputs and outputs with fixed and free dimensions', async () => {
    const session = await ort.InferenceSession.create(identity({ type: 'float32', dims: ['rows', 3] }));
    expect(session.inputNames).toEqual(['x']);
    expect(session.inputMetadata[0]).toMatchObject({ type: 'float32', shape: ['rows', 3] });
    expect(session.outputNames).toEqual(['y']);
    await session.release();
  });

  it('writes every kind of attribute', async () => {
    const graph = new GraphBuilder();
    const leaky = graph.node('LeakyRelu', ['x'], { alpha: { float: 0.25 } });
    const flipped = graph.node('Transpose', [leaky], { perm: [1, 0] });
    const two = graph.node('Constant', [], { value: { type: 'float32', dims: [1], data: [2] } });
    const doubled = graph.node('Mul', [flipped, two]);
    const padded = graph.node(
      'Pad',
      [doubled, graph.constant('int64', [4], [0, 0, 0, 1]), graph.constant('float32', [], [-9])],
      { mode: 'constant' },
    );
    const model = graph.encode(
      'attributes',
      [{ name: 'x', type: 'float32', dims: [2, 2] }],
      [{ name: 'y', type: 'float32', dims: [2, 3], from: padded }],
    );
    const session = await ort.InferenceSession.create(model);
    const { y } = await session.run({ x: new ort.Tensor('float32', [1, -4, 3, -8], [2, 2]) });
    expect(Array.from(y?.data as Float32Array)).toEqual([2, 6, -9, -2, -4, -9]);
    await session.release();
  });

  it('writes negative integers', async () => {
    const graph = new GraphBuilder();
    const rows = graph.node('Concat', ['x', 'x'], { axis: -1 });
    const model = graph.encode(
      'negative',
      [{ name: 'x', type: 'float32', dims: ['n', 2] }],
      [{ name: 'y', type: 'float32', dims: ['n', 4], from: rows }],
    );
    expect((await runRows(model, 3, 2)).y.dims).toEqual([3, 4]);
  });

  it('refuses a tensor whose elements do not fill its dimensions', () => {
    const constants = { w: { type: 'float32' as const, dims: [2, 2], data: [1, 2, 3] } };
    expect(() => encodeModel({ name: 'g', inputs: [], outputs: [], nodes: [], constants })).toThrow(
      'expected 4 elements for w [2,2] but received 3',
    );
  });
});

describe('test graphs', () => {
  it('passes its input through', async () => {
    const { x, y } = await runRows(identity(), 5, 4);
    expect(y.data).toEqual(x);
  });

  it('gives a dense network weights that all differ, and another one for another seed', async () => {
    const model = mlp({ layers: 3, width: 32, seed: 4 });
    expect(model.length).toBeGreaterThan(3 * 32 * 32 * 4);
    const { y } = await runRows(model, 7, 32);
    expect(y.dims).toEqual([7, 32]);
    expect(new Set(y.data as Float32Array).size).toBeGreaterThan(200);
    expect(Buffer.compare(model, mlp({ layers: 3, width: 32, seed: 4 }))).toBe(0);
    expect(Buffer.compare(model, mlp({ layers: 3, width: 32, seed: 5 }))).not.toBe(0);
  });

  it('gives the slow graph the rows it was fed', async () => {
    const { y } = await runRows(slow({ steps: 5, width: 16 }), 2, 16);
    expect(y.dims).toEqual([2, 16]);
    expect((y.data as Float32Array).every((value) => Math.abs(value) <= 1)).toBe(true);
  });
});
