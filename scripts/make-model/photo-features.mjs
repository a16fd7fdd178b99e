// The graph of the photos workload: sums over the pixels, from which TypeScript computes the features.
//
// Every value is an integer that its type holds exactly, so no order of summation can change a bit: the
// outputs are the same for every batch size, thread count and instruction set. float32 is exact below 2^24:
//
//   luma of a pixel                    19·255 + 38·255 + 7·255      = 16,320
//   luma of a block of 8×8             64 · 16,320                  =  1,044,480
//   Laplacian                          4 · 16,320                   =     65,280
//   a channel over the image           65,536 · 255                 = 16,711,680
//   a product of channels down a column  256 · 255²                 = 16,646,400   (2^24 = 16,777,216)
//
// and float64 below 2^53 = 9.0e15:
//
//   squared Laplacians over the image  254² · 65,280²               =  2.7e14
//   a product over the image           65,536 · 255²                =  4.3e9
//   a DCT coefficient                  1,044,480 · (32 · 1024)²     =  1.1e15
//
// Only Slice, Add, Mul and ReduceSum work on pixels: MatMul and Conv may take a shorter mantissa (TF32, BF16),
// and are slower here besides. Products are summed down columns, which is twice as fast as along rows.

import { elementNumber } from './encoder.mjs';
import { GraphBuilder } from './graph-builder.mjs';

/** Pixels on a side of the square that the graph takes. */
const SIDE = 256;
const POOLED = 32;
const KEPT = 8;
/** Luma weights in 64ths, near ITU-R BT.601: 0.297, 0.594, 0.109. */
const LUMA = [19, 38, 7];
/** Luma up to two levels from black, and from two levels below white: there a sensor or an encoder has clipped. */
const DARK = 2 * 64;
const BRIGHT = 253 * 64;

/**
 * Input `pixels` uint8 [n, 256, 256, 3]. Outputs float64: `dct` [n, 64], the low 8×8 block of the DCT-II of luma
 * pooled to 32×32, row by row; `sums` [n, 13]: Laplacian, Laplacian², dark, bright, R, G, B, RR, RG, RB, GG, GB, BB.
 */
export function photoFeatures() {
  const graph = new GraphBuilder();
  const channels = splitChannels(graph);
  const luma = weighted(graph, channels, LUMA);
  const laplacian = graph.node('Cast', [laplacianOf(graph, luma)], { to: elementNumber('float64') });
  const sums = [
    sumOf(graph, laplacian),
    graph.node('ReduceSumSquare', [laplacian], { axes: [1, 2, 3], keepdims: 0 }),
    countOf(graph, 'LessOrEqual', luma, DARK),
    countOf(graph, 'GreaterOrEqual', luma, BRIGHT),
    ...channels.map((channel) => toFloat64(graph, sumOf(graph, channel))),
    ...channels.flatMap((a, i) => channels.slice(i).map((b) => sumOfProducts(graph, a, b))),
  ].map((sum) => graph.node('Reshape', [sum, integers(graph, [-1, 1])]));
  return graph.encode(
    'photo-features',
    [{ name: 'pixels', type: 'uint8', dims: ['n', SIDE, SIDE, 3] }],
    [
      { name: 'dct', type: 'float64', dims: ['n', KEPT * KEPT], from: lowFrequencies(graph, luma) },
      {
        name: 'sums',
        type: 'float64',
        dims: ['n', sums.length],
        from: graph.node('Concat', sums, { axis: 1 }),
      },
    ],
  );
}

/** Three planes float32 [n, 1, 256, 256]; the bytes are sorted into planes before they grow fourfold. @param {GraphBuilder} graph */
function splitChannels(graph) {
  const planes = graph.node('Transpose', ['pixels'], { perm: [3, 0, 1, 2] });
  const shape = integers(graph, [-1, 1, SIDE, SIDE]);
  return graph
    .nodeOf(3, 'Split', [planes], { axis: 0 })
    .map((plane) => graph.node('Reshape', [plane, shape]))
    .map((plane) => graph.node('Cast', [plane], { to: elementNumber('float32') }));
}

/** @param {GraphBuilder} graph @param {readonly string[]} channels @param {readonly number[]} weights */
function weighted(graph, channels, weights) {
  return channels
    .map((channel, i) => graph.node('Mul', [channel, scalar(graph, weights[i] ?? 0)]))
    .reduce((sum, term) => graph.node('Add', [sum, term]));
}

/** Four times the pixel less its four neighbours, where all exist: [n, 1, 254, 254]. @param {GraphBuilder} graph @param {string} luma */
function laplacianOf(graph, luma) {
  const shifted = (/** @type {number} */ row, /** @type {number} */ column) =>
    graph.node('Slice', [
      luma,
      integers(graph, [row, column]),
      integers(graph, [row + SIDE - 2, column + SIDE - 2]),
      integers(graph, [2, 3]),
    ]);
  const vertical = graph.node('Add', [shifted(0, 1), shifted(2, 1)]);
  const horizontal = graph.node('Add', [shifted(1, 0), shifted(1, 2)]);
  const centre = graph.node('Mul', [shifted(1, 1), scalar(graph, 4)]);
  return graph.node('Sub', [centre, graph.node('Add', [vertical, horizontal])]);
}

/** Pooled by summing, rows of a block first; then constants · pooled · constantsᵀ. @param {GraphBuilder} graph @param {string} luma */
function lowFrequencies(graph, luma) {
  const block = SIDE / POOLED;
  const sumBlocks = (
    /** @type {string} */ value,
    /** @type {number[]} */ shape,
    /** @type {number} */ axis,
  ) => reduce(graph, graph.node('Reshape', [value, integers(graph, shape)]), [axis]);
  const rows = sumBlocks(luma, [-1, POOLED, block, SIDE], 2);
  const pooled = toFloat64(graph, sumBlocks(rows, [-1, POOLED, POOLED, block], 3));
  const left = graph.constant(
    'float64',
    [KEPT, POOLED],
    cosines((k, i) => k * POOLED + i),
  );
  const right = graph.constant(
    'float64',
    [POOLED, KEPT],
    cosines((k, i) => i * KEPT + k),
  );
  const block8 = graph.node('MatMul', [graph.node('MatMul', [left, pooled]), right]);
  return graph.node('Reshape', [block8, integers(graph, [-1, KEPT * KEPT])]);
}

/** round(1024 · cos(π (2i + 1) k / 64)), laid out by `at`. @param {(k: number, i: number) => number} at */
function cosines(at) {
  const table = new Float64Array(KEPT * POOLED);
  for (let k = 0; k < KEPT; k++)
    for (let i = 0; i < POOLED; i++)
      table[at(k, i)] = Math.round(1024 * Math.cos((Math.PI * (2 * i + 1) * k) / (2 * POOLED)));
  return table;
}

/** @param {GraphBuilder} graph @param {'LessOrEqual' | 'GreaterOrEqual'} op @param {string} luma @param {number} bound */
function countOf(graph, op, luma, bound) {
  const hits = graph.node(op, [luma, scalar(graph, bound)]);
  return toFloat64(graph, sumOf(graph, graph.node('Cast', [hits], { to: elementNumber('float32') })));
}

/** Down the columns in float32, across them in float64. @param {GraphBuilder} graph @param {string} a @param {string} b */
function sumOfProducts(graph, a, b) {
  const columns = reduce(graph, graph.node('Mul', [a, b]), [1, 2]);
  return reduce(graph, toFloat64(graph, columns), [1]);
}

/** @param {GraphBuilder} graph @param {string} value */
function sumOf(graph, value) {
  return reduce(graph, value, [1, 2, 3]);
}

/** @param {GraphBuilder} graph @param {string} value @param {number[]} axes */
function reduce(graph, value, axes) {
  return graph.node('ReduceSum', [value, integers(graph, axes)], { keepdims: 0 });
}

/** @param {GraphBuilder} graph @param {string} value */
function toFloat64(graph, value) {
  return graph.node('Cast', [value], { to: elementNumber('float64') });
}

/** @param {GraphBuilder} graph @param {number} value */
function scalar(graph, value) {
  return graph.constant('float32', [], [value]);
}

/** @param {GraphBuilder} graph @param {number[]} values */
function integers(graph, values) {
  return graph.constant('int64', [values.length], values);
}
