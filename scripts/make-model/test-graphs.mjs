// Graphs for tests and benches: a pass-through, a stack of dense layers, and one that takes its time.

import { GraphBuilder } from './graph-builder.mjs';

/**
 * @typedef {import('./encoder.mjs').ElementType} ElementType
 * @typedef {import('./encoder.mjs').ValueInfo['dims']} Dims
 */

/**
 * Input `x`, output `y` equal to it.
 * @param {{ type?: ElementType, dims?: Dims }} [options] default float32 [n, 4]
 */
export function identity({ type = 'float32', dims = ['n', 4] } = {}) {
  return new GraphBuilder().encode(
    'identity',
    [{ name: 'x', type, dims }],
    [{ name: 'y', type, dims, from: 'x' }],
  );
}

/**
 * Dense layers with Relu between them: `x` float32 [n, width] → `y` float32 [n, width]. All weights differ,
 * because ONNX Runtime keeps identical initialisers once: a model of layers · width² · 4 bytes really weighs that.
 * @param {{ layers?: number, width?: number, seed?: number }} [options] default 2 layers of 64, seed 1
 */
export function mlp({ layers = 2, width = 64, seed = 1 } = {}) {
  const graph = new GraphBuilder();
  const random = uniform(seed);
  const scale = Math.sqrt(6 / width);
  const weights = () => Float32Array.from({ length: width * width }, () => (random() * 2 - 1) * scale);
  const biases = () => Float32Array.from({ length: width }, () => random() * 0.1);
  let value = 'x';
  for (let layer = 0; layer < layers; layer++) {
    if (layer > 0) value = graph.node('Relu', [value]);
    const w = graph.constant('float32', [width, width], weights());
    const b = graph.constant('float32', [width], biases());
    value = graph.node('Gemm', [value, w, b]);
  }
  return encodeRows(graph, `mlp-${layers}x${width}`, width, value);
}

/**
 * `steps` times y = tanh(y · W) on 256 copies of each row, `x` float32 [n, width] → `y` float32 [n, width]: a run
 * that can be stopped between any two of its nodes. With the defaults a row takes some 150 ms on one core.
 * @param {{ steps?: number, width?: number, seed?: number }} [options] default 500 steps of width 256, seed 1
 */
export function slow({ steps = 500, width = 256, seed = 1 } = {}) {
  const graph = new GraphBuilder();
  const random = uniform(seed);
  const scale = 2 / Math.sqrt(width);
  const data = Float32Array.from({ length: width * width }, () => (random() * 2 - 1) * scale);
  const weight = graph.constant('float32', [width, width], data);
  const rows = graph.node('Unsqueeze', ['x', graph.constant('int64', [1], [1])]);
  let value = graph.node('Expand', [rows, graph.constant('int64', [3], [1, 256, 1])]);
  for (let step = 0; step < steps; step++)
    value = graph.node('Tanh', [graph.node('MatMul', [value, weight])]);
  return encodeRows(
    graph,
    `slow-${steps}x${width}`,
    width,
    graph.node('ReduceMax', [value], { axes: [1], keepdims: 0 }),
  );
}

/** @param {GraphBuilder} graph @param {string} name @param {number} width @param {string} from */
function encodeRows(graph, name, width, from) {
  const rows = { type: /** @type {const} */ ('float32'), dims: ['n', width] };
  return graph.encode(name, [{ name: 'x', ...rows }], [{ name: 'y', ...rows, from }]);
}

/** Numbers in [0, 1) by xorshift32 (Marsaglia 2003). @param {number} seed */
export function uniform(seed) {
  // Spread, so that neighbouring seeds do not start alike; xorshift must not start at zero.
  let state = Math.imul(seed + 1, 0x9e3779b1) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 2 ** 32;
  };
}
