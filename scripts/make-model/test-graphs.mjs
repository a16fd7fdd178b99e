// Graphs for tests and benches: a pass-through, dense layers, convolutions, attention, and one that takes its time.

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

/**
 * One layer of self-attention and a dense layer with its residual, `x` float32 [n, length, width] → `y` of the same shape.
 * With `masked` a second input `mask` float32 [n, length], 1 where there is a token and 0 where there is none: what is
 * said of the others then depends on it in no way.
 * @param {{ length?: number | string, width?: number, layers?: number, masked?: boolean, seed?: number }} [options] default 't', 64, 1 layer
 */
export function attention({ length = 't', width = 64, layers = 1, masked = true, seed = 1 } = {}) {
  const graph = new GraphBuilder();
  const random = uniform(seed);
  const weights = () => {
    const data = Float32Array.from({ length: width * width }, () => (random() * 2 - 1) / Math.sqrt(width));
    return graph.constant('float32', [width, width], data);
  };
  const project = (/** @type {string} */ value) => graph.node('MatMul', [value, weights()]);
  // 0 where there is a token, −10⁹ where there is none: nothing is left of it after the exponential.
  const bias = masked ? maskBias(graph) : undefined;
  let value = 'x';
  for (let layer = 0; layer < layers; layer++) {
    const keys = graph.node('Transpose', [project(value)], { perm: [0, 2, 1] });
    const scores = graph.node('MatMul', [project(value), keys]);
    const scaled = graph.node('Mul', [scores, graph.constant('float32', [], [1 / Math.sqrt(width)])]);
    const shares = graph.node('Softmax', [bias ? graph.node('Add', [scaled, bias]) : scaled], { axis: 2 });
    const mixed = graph.node('Add', [value, graph.node('MatMul', [shares, project(value)])]);
    value = graph.node('Tanh', [graph.node('Add', [mixed, project(graph.node('Relu', [project(mixed)]))])]);
  }
  const dims = ['n', length, width];
  const inputs = [{ name: 'x', type: /** @type {const} */ ('float32'), dims }];
  if (masked) inputs.push({ name: 'mask', type: 'float32', dims: ['n', length] });
  return graph.encode(`attention-${layers}x${width}`, inputs, [
    { name: 'y', type: 'float32', dims, from: value },
  ]);
}

/** [n, length] of 1 and 0 → [n, 1, length] of 0 and −10⁹. @param {GraphBuilder} graph */
function maskBias(graph) {
  const missing = graph.node('Sub', [graph.constant('float32', [], [1]), 'mask']);
  const bias = graph.node('Mul', [missing, graph.constant('float32', [], [-1e9])]);
  return graph.node('Unsqueeze', [bias, graph.constant('int64', [1], [1])]);
}

/**
 * Convolutions of 3 × 3 with Relu between them, the mean of each channel at the end: `x` float32 [n, 3, side, side] →
 * `y` float32 [n, channels].
 * @param {{ layers?: number, channels?: number, side?: number, seed?: number }} [options] default 4 layers of 32, 56 × 56
 */
export function convolutions({ layers = 4, channels = 32, side = 56, seed = 1 } = {}) {
  const graph = new GraphBuilder();
  const random = uniform(seed);
  let value = 'x';
  let depth = 3;
  for (let layer = 0; layer < layers; layer++) {
    const length = channels * depth * 9;
    const data = Float32Array.from({ length }, () => (random() * 2 - 1) / Math.sqrt(depth * 9));
    const kernel = graph.constant('float32', [channels, depth, 3, 3], data);
    const strides = layer % 2 === 0 ? [1, 1] : [2, 2];
    value = graph.node('Relu', [graph.node('Conv', [value, kernel], { pads: [1, 1, 1, 1], strides })]);
    depth = channels;
  }
  const mean = graph.node('ReduceMean', [value], { axes: [2, 3], keepdims: 0 });
  return graph.encode(
    `convolutions-${layers}x${channels}`,
    [{ name: 'x', type: 'float32', dims: ['n', 3, side, side] }],
    [{ name: 'y', type: 'float32', dims: ['n', channels], from: mean }],
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
