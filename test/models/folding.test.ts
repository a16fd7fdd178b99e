// What vetting says a graph keeps of its constants, by the kind of node that makes or uses them.
import { describe, expect, it } from 'vitest';
import { encodeModel } from '../../scripts/make-model/encoder.mjs';
import { GraphBuilder } from '../../scripts/make-model/graph-builder.mjs';
import { ModelVetting } from '../../src/models/vetting/vetting.js';
import { body, graph, integer, message, model, node, tensor } from '../support/proto-model.js';
import { weighty } from '../support/weighty-graphs.js';

function kept(bytes: Uint8Array, step = bytes.length) {
  const vetting = new ModelVetting(bytes.length);
  for (let at = 0; at < bytes.length; at += step) vetting.push(bytes.subarray(at, at + step));
  return vetting.end().kept;
}

/** What `x + made` keeps, where `x` is [n, 4] of float32. */
function keptOf(make: (builder: GraphBuilder) => string) {
  const builder = new GraphBuilder();
  const y = builder.node('Add', ['x', make(builder)]);
  const value = { type: 'float32' as const, dims: ['n', 4] };
  return kept(builder.encode('made', [{ name: 'x', ...value }], [{ name: 'y', ...value, from: y }]));
}

const shape = (builder: GraphBuilder, ...dims: number[]) => builder.constant('int64', [dims.length], dims);
const matrix = (builder: GraphBuilder) => builder.constant('float32', [3, 4], new Float32Array(12));

describe('constants that a loaded graph keeps', () => {
  it.each<[string, number, (builder: GraphBuilder) => string]>([
    ['an initialiser', 48, matrix],
    ['a shape filled', 400, (b) => b.node('ConstantOfShape', [shape(b, 25, 4)])],
    [
      'rows expanded',
      480,
      (b) => b.node('Expand', [b.node('Unsqueeze', [matrix(b), shape(b, 0)]), shape(b, 10, 3, 4)]),
    ],
    ['tiles', 96, (b) => b.node('Tile', [matrix(b), shape(b, 2, 1)])],
    ['a concatenation', 96, (b) => b.node('Concat', [matrix(b), matrix(b)], { axis: 0 })],
    ['one along the last axis', 96, (b) => b.node('Concat', [matrix(b), matrix(b)], { axis: -1 })],
    [
      'what is transposed and stretched',
      192,
      (b) => b.node('Expand', [b.node('Transpose', [matrix(b)]), shape(b, 4, 4, 3)]),
    ],
    ['what is reshaped', 48, (b) => b.node('Reshape', [matrix(b), shape(b, -1, 2)])],
    ['rows picked', 80, (b) => b.node('Gather', [matrix(b), shape(b, 0, 1, 1, 2, 0)])],
    [
      'a sum with a broadcast',
      48,
      (b) => b.node('Mul', [matrix(b), b.constant('float32', [1, 4], [1, 2, 3, 4])]),
    ],
    ['a product', 36, (b) => b.node('MatMul', [matrix(b), b.node('Transpose', [matrix(b)])])],
    ['a cast to more bits', 96, (b) => b.node('Cast', [matrix(b)], { to: 11 })],
    ['what is quantised', 12, (b) => b.node('QuantizeLinear', [matrix(b), b.constant('float32', [], [1])])],
    ['a shape that was computed', 48, (b) => b.node('ConstantOfShape', [b.node('Shape', [matrix(b)])])],
    [
      'a shape put together',
      80,
      (b) => b.node('ConstantOfShape', [b.node('Concat', [shape(b, 5), shape(b, 4)], { axis: 0 })]),
    ],
    [
      'a constant node',
      8,
      (b) => b.node('Constant', [], { value: { type: 'float32', dims: [2], data: [1, 2] } }),
    ],
    [
      'integers left to their kernel',
      12 + 4,
      (b) =>
        b.node('DequantizeLinear', [
          b.constant('uint8', [3, 4], new Uint8Array(12)),
          b.constant('float32', [], [1]),
        ]),
    ],
    ['a node that is not known', 48, (b) => b.node('Hardmax', [matrix(b)])],
    ['more than is made ahead', 8, (b) => b.node('ConstantOfShape', [shape(b, 2 ** 30)])],
  ])('%s', (_, bytes, make) => {
    expect(keptOf(make)).toMatchObject({ cpu: bytes, elsewhere: bytes });
  });

  it('of float16 become float32 on the processor, unless they are only moved', () => {
    const bytes = 2 * 4096 * 512;
    expect(kept(weighty('a table that is multiplied with, of float16'))).toMatchObject({
      cpu: bytes + 2 * bytes,
      elsewhere: bytes,
    });
    expect(kept(weighty('layers of float16'))).toMatchObject({
      cpu: 12 * 512 * 512 * 4,
      elsewhere: 12 * 512 * 512 * 2,
    });
  });

  it('are kept as they are where they are defaults of inputs, since version 4 of the format', () => {
    const parts = {
      inputs: ['x', 'w'],
      nodes: [node('Tile', ['w', 'r'], ['a']), node('Add', ['x', 'a'], ['y'])],
      initialisers: [tensor(), tensor({ name: 'r', type: 7, dims: [1] }, message(7, Uint8Array.of(5)))],
    };
    expect(kept(model(graph(parts))).cpu).toBe(8 + 8);
    const old = Buffer.concat([integer(1, 3), message(7, graph(parts)), message(8, integer(2, 7))]);
    expect(kept(old).cpu).toBe(40);
  });

  it('are those of graphs within nodes as well, and what is an output is not made ahead', () => {
    const inner = graph({
      inputs: [],
      nodes: [node('Tile', ['w', 'r'], ['a']), node('Neg', ['a'], ['y'])],
      initialisers: [tensor(), tensor({ name: 'r', type: 7, dims: [1] }, message(7, Uint8Array.of(5)))],
    });
    const outer = graph({ nodes: [node('If', ['x'], ['y'], body('then_branch', inner))] });
    expect(kept(model(outer)).cpu).toBe(40);
  });

  it('are the same in whatever pieces the graph comes', () => {
    for (const kind of ['weights of one number', 'rows in tiles']) {
      const bytes = weighty(kind);
      const whole = kept(bytes);
      for (const step of [1, 7, 1000]) expect(kept(bytes, Math.min(step, bytes.length))).toEqual(whole);
    }
  });

  it('are none where a shape leads nowhere', () => {
    for (const dims of [[-1], [2 ** 40, 2 ** 40], Array.from({ length: 64 }, () => 2)])
      expect(keptOf((b) => b.node('ConstantOfShape', [shape(b, ...dims)])).cpu).toBe(8 * dims.length);
  });

  it('count a node and its values by estimate', () => {
    const nodes = Array.from({ length: 10 }, (_, i) => ({
      op: 'Relu',
      inputs: [i ? `v${i}` : 'x'],
      outputs: [i === 9 ? 'y' : `v${i + 1}`],
    }));
    const value = (name: string) => ({ name, type: 'float32' as const, dims: ['n'] });
    const bytes = encodeModel({
      name: 'n',
      inputs: [value('x')],
      outputs: [value('y')],
      nodes,
      constants: {},
    });
    expect(kept(bytes)).toEqual({ cpu: 0, elsewhere: 0, structure: 10 * 6144 });
  });
});
