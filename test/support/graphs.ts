// Small graphs for tests, made on the spot.
import { type ElementType, elementNumber, encodeModel } from '../../scripts/make-model/encoder.mjs';
import { GraphBuilder } from '../../scripts/make-model/graph-builder.mjs';

/** `y = x` for one element type, `[n, 3]`. */
export function identityGraph(type: ElementType): Uint8Array {
  const dims = ['n', 3];
  return encodeModel({
    name: 'identity',
    inputs: [{ name: 'x', type, dims }],
    outputs: [{ name: 'y', type, dims }],
    nodes: [{ op: 'Identity', inputs: ['x'], outputs: ['y'] }],
    constants: {},
  });
}

/** `y = x + x` over `[n, width]`. */
export function twiceGraph(width: number): Uint8Array {
  const dims = ['n', width];
  return encodeModel({
    name: 'twice',
    inputs: [{ name: 'x', type: 'float32', dims }],
    outputs: [{ name: 'y', type: 'float32', dims }],
    nodes: [{ op: 'Add', inputs: ['x', 'x'], outputs: ['y'] }],
    constants: {},
  });
}

/** `sum = a + b` and `product = a · b`, element by element, `[n, 2]`. */
export function twoOutputsGraph(): Uint8Array {
  const value = (name: string) => ({ name, type: 'float32' as const, dims: ['n', 2] });
  return encodeModel({
    name: 'two-outputs',
    inputs: [value('a'), value('b')],
    outputs: [value('sum'), value('product')],
    nodes: [
      { op: 'Add', inputs: ['a', 'b'], outputs: ['sum'] },
      { op: 'Mul', inputs: ['a', 'b'], outputs: ['product'] },
    ],
    constants: {},
  });
}

/**
 * `layers` matrix products in a row over `[n, width]`. With `distinct` each has weights of its own (equal ones
 * would be stored once); without, one matrix serves all, so that a long run needs little memory.
 */
export function chainGraph({ layers, width, distinct = false, seed = 0 }: ChainOptions): Uint8Array {
  const weightsOf = (layer: number) => {
    const weights = new Float32Array(width * width);
    let state = (layer + seed * 1000) * 7919 + 1; // a linear congruential series: quick, and different in each layer
    for (let i = 0; i < weights.length; i++) {
      state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
      weights[i] = state / 2 ** 30 / width;
    }
    return weights;
  };
  const matrices = distinct ? layers : 1;
  return encodeModel({
    name: 'chain',
    inputs: [{ name: 'x', type: 'float32', dims: ['n', width] }],
    outputs: [{ name: 'y', type: 'float32', dims: ['n', width] }],
    nodes: Array.from({ length: layers }, (_, layer) => ({
      op: 'MatMul',
      inputs: [layer === 0 ? 'x' : `h${layer}`, `w${layer % matrices}`],
      outputs: [layer === layers - 1 ? 'y' : `h${layer + 1}`],
    })),
    constants: Object.fromEntries(
      Array.from({ length: matrices }, (_, layer) => [
        `w${layer}`,
        { type: 'float32' as const, dims: [width, width], data: weightsOf(layer) },
      ]),
    ),
  });
}

interface ChainOptions {
  layers: number;
  width: number;
  distinct?: boolean;
  /** Another one makes other weights. */
  seed?: number;
}

/** A feed of ones for {@link chainGraph}. */
export function ones(rows: number, width: number) {
  return { type: 'float32' as const, dims: [rows, width], data: new Float32Array(rows * width).fill(1) };
}

/** A graph whose run over `slowFeed` takes some hundred milliseconds, in many nodes. */
export const slowGraph = () => chainGraph({ layers: 120, width: 384 });
export const slowFeed = () => ({ x: ones(384, 384) });

export interface MeanColourOptions {
  type?: ElementType;
  /** Of the image input `image`. */
  dims?: readonly (number | string)[];
  layout?: 'nchw' | 'nhwc';
  /** `channels × classes`; the identity unless told: the output is the mean of each channel. */
  weights?: readonly (readonly number[])[];
  /** First dimension of the output `said`, that of the input unless told. */
  batch?: number | string;
  /** Whether the output is a softmax. */
  softmax?: boolean;
  outputType?: 'float32' | 'float16' | 'float64';
}

const IDENTITY = [
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
];

/**
 * The mean of each channel times weights, by default `[n, 3, h, w]` of float32: of a picture of one colour, what it
 * gives is known. A second output, `means`, is that of the channels themselves.
 */
export function meanColourGraph({
  type = 'float32',
  layout = 'nchw',
  dims = layout === 'nchw' ? ['n', 3, 'h', 'w'] : ['n', 'h', 'w', 3],
  weights = IDENTITY,
  batch = dims[0] ?? 'n',
  softmax = false,
  outputType = 'float32',
}: MeanColourOptions = {}): Uint8Array {
  const graph = new GraphBuilder();
  // In float32 the sum over a picture is already wrong in the fifth digit.
  const numbers = graph.node('Cast', ['image'], { to: elementNumber('float64') });
  const axes = layout === 'nchw' ? [2, 3] : [1, 2];
  const means = graph.node('ReduceMean', [numbers], { axes, keepdims: 0 });
  const width = weights[0]?.length ?? 0;
  const matrix = graph.constant('float64', [weights.length, width], weights.flat());
  const scores = graph.node('MatMul', [means, matrix]);
  const last = softmax ? graph.node('Softmax', [scores], { axis: 1 }) : scores;
  const said = graph.node('Cast', [last], { to: elementNumber(outputType) });
  const saidMeans = graph.node('Cast', [means], { to: elementNumber('float32') });
  return graph.encode(
    'mean-colour',
    [{ name: 'image', type, dims }],
    [
      { name: 'said', type: outputType, dims: [batch, width], from: said },
      { name: 'means', type: 'float32', dims: [batch, weights.length], from: saidMeans },
    ],
  );
}
