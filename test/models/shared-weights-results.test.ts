// Sessions that share the weights of their graph compute what others do, to the bit.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { encodeModel } from '../../scripts/make-model/encoder.mjs';
import { GraphBuilder } from '../../scripts/make-model/graph-builder.mjs';
import type { Tensor } from '../../src/contract/index.js';
import type { Model } from '../../src/models/model.js';
import { ModelCache } from '../../src/models/model-cache.js';
import { fromBytes } from '../../src/models/model-source.js';
import { sharingOf } from '../../src/models/shared-weights.js';
import { native } from '../../src/native/load.js';
import { overNative } from '../support/paths.js';
import { weighty } from '../support/weighty-graphs.js';

const { ledger } = native();
const models = ledger.account('models', 0);
const held = () => ledger.held(models);
const settings = { engine: 'native', device: 'cpu', threads: 1 } as const;

/** Numbers without a pattern, the same each time, for every input of a model. */
function feedsFor(model: Model): Record<string, Tensor> {
  let state = 7;
  const next = () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return state / 2 ** 31;
  };
  return Object.fromEntries(
    model.inputMetadata.map(({ name, type, dims: given }) => {
      const dims = given.map((size) => (typeof size === 'number' ? size : 3));
      const length = dims.reduce((product, size) => product * size, 1);
      const data =
        type === 'int64'
          ? BigInt64Array.from({ length }, () => BigInt(Math.floor(next() * 100)))
          : Float32Array.from({ length }, next);
      return [name, { type: type ?? 'float32', dims, data }];
    }),
  );
}

describe.runIf(overNative)('results of sessions that share weights', () => {
  it.each([
    'layers of float32',
    'attention of float32',
    'a table that is multiplied with, of float32',
    'layers of int8',
  ])('compute what others do, bit by bit: %s', async (kind) => {
    await using cache = new ModelCache(settings);
    const source = weighty(kind);
    using own = await cache.acquire(source);
    using first = await cache.acquire(source, { shareWeights: true });
    using second = await cache.acquire(source, { shareWeights: true, threads: 2 });
    const feeds = feedsFor(own);
    const expected = await own.run(feeds);
    expect(Object.keys(expected)).not.toHaveLength(0);
    for (const sharer of [first, second]) expect(await sharer.run(feeds)).toEqual(expected);
    expect(cache.stats().loads).toBe(3);
  });

  /** A square of weights, each time another one. */
  const square = (builder: GraphBuilder, seed = 1) =>
    builder.constant(
      'float32',
      [64, 64],
      Float32Array.from({ length: 4096 }, (_, i) => Math.sin(i * seed)),
    );

  it.each<[string, readonly (string | number)[], (builder: GraphBuilder) => string]>([
    [
      'a product between transposes',
      ['n', 64, 8],
      (b) => {
        const turned = b.node('Transpose', ['x'], { perm: [0, 2, 1] });
        return b.node('Transpose', [b.node('MatMul', [turned, square(b)])], { perm: [0, 2, 1] });
      },
    ],
    [
      'weights, and the same transposed',
      ['n', 64],
      (b) => {
        const weights = square(b);
        return b.node('MatMul', [b.node('MatMul', ['x', weights]), b.node('Transpose', [weights])]);
      },
    ],
    [
      'one matrix in both orders',
      ['n', 64],
      (b) => {
        const weights = square(b);
        return b.node('Gemm', [b.node('Gemm', ['x', weights], { transB: 1 }), weights]);
      },
    ],
    [
      'a bias and a scale that are drawn in',
      ['n', 64],
      (b) => {
        const bias = b.constant('float32', [64], Float32Array.from({ length: 64 }, Math.cos));
        const sum = b.node('Add', [b.node('MatMul', ['x', square(b)]), bias]);
        return b.node('MatMul', [b.node('Mul', [sum, b.constant('float32', [], [0.125])]), square(b, 2)]);
      },
    ],
  ])('compute what others do where an optimiser moves things past them: %s', async (_, dims, build) => {
    const builder = new GraphBuilder();
    const type = 'float32' as const;
    const from = build(builder);
    const source = builder.encode('moved', [{ name: 'x', type, dims }], [{ name: 'y', type, dims, from }]);
    expect(sharingOf(await fromBytes(source, [])).weights.tensors).not.toHaveLength(0);
    await using cache = new ModelCache(settings);
    using own = await cache.acquire(source);
    using shared = await cache.acquire(source, { shareWeights: true });
    using again = await cache.acquire(source, { shareWeights: true, threads: 2 });
    const expected = await own.run(feedsFor(own));
    for (const sharer of [shared, again]) expect(await sharer.run(feedsFor(own))).toEqual(expected);
  });

  it('are those of a graph whose dimensions are fixed, and of one whose data is in another file', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'spillway-shared-'));
    const file = path.join(folder, 'graph.onnx');
    const data = Float32Array.from({ length: 64 * 64 }, (_, i) => Math.sin(i));
    const value = (name: string) => ({ name, type: 'float32' as const, dims: ['n', 64] });
    await writeFile(path.join(folder, 'weights'), data);
    await writeFile(
      file,
      encodeModel({
        name: 'external',
        inputs: [value('x')],
        outputs: [value('y')],
        nodes: [
          { op: 'MatMul', inputs: ['x', 'inside'], outputs: ['h'] },
          { op: 'MatMul', inputs: ['h', 'w'], outputs: ['y'] },
        ],
        constants: {
          w: { type: 'float32', dims: [64, 64], data, external: 'weights' },
          inside: { type: 'float32', dims: [64, 64], data: data.map((number) => number / 2) },
        },
      }),
    );
    await using cache = new ModelCache(settings);
    using own = await cache.acquire(file);
    using shared = await cache.acquire(file, { shareWeights: true });
    const before = held();
    using fixed = await cache.acquire(file, { shareWeights: true, freeDimensions: { n: 3 } });
    expect(held() - before).toBeLessThan(data.byteLength);
    const feeds = feedsFor(own);
    const expected = await own.run(feeds);
    for (const sharer of [shared, fixed]) expect(await sharer.run(feeds)).toEqual(expected);
    await rm(folder, { recursive: true });
  });
});
