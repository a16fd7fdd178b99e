// Graphs whose weights are more, or less, once they are loaded than they are in their files; some 8 MB each.
import { GraphBuilder } from '../../scripts/make-model/graph-builder.mjs';
import { attention, convolutions, mlp, uniform } from '../../scripts/make-model/test-graphs.mjs';

export const MB = 1e6;
export const WIDTH = 512;
const LAYERS = 12;
const CHANNELS = 128;
const FLOAT32 = 1;

const random = uniform(11);
const floats = (length: number) => Float32Array.from({ length }, () => random() - 0.5);
/** Bits of float16 numbers between 2^-7 and 2^-1. */
const halves = (length: number) => Uint16Array.from({ length }, () => 0x2000 + Math.floor(random() * 0x1800));
const bytes = (length: number) => Int8Array.from({ length }, () => Math.floor(random() * 255) - 127);

type Step = (graph: GraphBuilder, value: string, layer: number) => string;

/** `x` [n, WIDTH] → `y` of the same shape, by one step after another. */
function rows(step: Step, type: 'float32' | 'float16' = 'float32'): Uint8Array {
  const graph = new GraphBuilder();
  let value = 'x';
  for (let layer = 0; layer < LAYERS; layer++) value = step(graph, value, layer);
  const dims = ['n', WIDTH];
  return graph.encode('rows', [{ name: 'x', type, dims }], [{ name: 'y', type, dims, from: value }]);
}

/** Adds a matrix to each row and takes the mean: no kernel packs what it adds. */
const added =
  (matrix: (graph: GraphBuilder, layer: number) => string): Step =>
  (graph, value, layer) => {
    const stack = graph.node('Unsqueeze', [value, graph.constant('int64', [1], [1])]);
    return graph.node('ReduceMean', [graph.node('Add', [stack, matrix(graph, layer)])], {
      axes: [1],
      keepdims: 0,
    });
  };
const product =
  (matrix: (graph: GraphBuilder, layer: number) => string): Step =>
  (graph, value, layer) =>
    graph.node('MatMul', [value, matrix(graph, layer)]);

const square = [WIDTH, WIDTH];
const half = (graph: GraphBuilder) => graph.constant('float16', square, halves(WIDTH * WIDTH));
const row = (graph: GraphBuilder) => graph.constant('float32', [1, WIDTH], floats(WIDTH));
const dequantised = (graph: GraphBuilder, layer: number, dims: readonly number[] = square) => {
  const count = dims.reduce((product, size) => product * size, 1);
  const [scale, zero] = [
    graph.constant('float32', [], [0.01 + layer / 1000]),
    graph.constant('int8', [], [0]),
  ];
  return graph.node('DequantizeLinear', [graph.constant('int8', dims, bytes(count)), scale, zero]);
};
const shapeOfSquare = (graph: GraphBuilder) => graph.constant('int64', [2], square);

function halfConvolutions(): Uint8Array {
  const graph = new GraphBuilder();
  let value = 'x';
  for (let layer = 0; layer < LAYERS; layer++) {
    const kernel = graph.constant('float16', [CHANNELS, CHANNELS, 3, 3], halves(CHANNELS * CHANNELS * 9));
    value = graph.node('Relu', [graph.node('Conv', [value, kernel], { pads: [1, 1, 1, 1] })]);
  }
  const type = 'float16' as const;
  const dims = ['n', CHANNELS, 28, 28];
  return graph.encode(
    'half-convolutions',
    [{ name: 'x', type, dims }],
    [{ name: 'y', type, dims, from: value }],
  );
}

/** A table that is looked up, and multiplied with: in the order of the graph, and packed. */
function tied(type: 'float32' | 'float16'): Uint8Array {
  const graph = new GraphBuilder();
  const words = 4096;
  const data = type === 'float16' ? halves(words * WIDTH) : floats(words * WIDTH);
  const table = graph.constant(type, [words, WIDTH], data);
  const found = graph.node('Gather', [table, 'x']);
  const scores = graph.node('Gemm', [found, table], { transB: 1 });
  return graph.encode(
    'tied',
    [{ name: 'x', type: 'int64', dims: ['n'] }],
    [{ name: 'y', type, dims: ['n', words], from: scores }],
  );
}

function unused(): Uint8Array {
  const graph = new GraphBuilder();
  graph.constant('float32', [8, ...square], floats(8 * WIDTH * WIDTH));
  const dims = ['n', WIDTH];
  const y = graph.node('Relu', ['x']);
  const type = 'float32' as const;
  return graph.encode('unused', [{ name: 'x', type, dims }], [{ name: 'y', type, dims, from: y }]);
}

const KINDS: Readonly<Record<string, () => Uint8Array>> = {
  'layers of float32': () => mlp({ layers: LAYERS, width: WIDTH }),
  'convolutions of float32': () => convolutions({ layers: 6, channels: 192 }),
  'attention of float32': () => attention({ layers: 2, width: WIDTH }),
  'matrices added, of float32': () =>
    rows(added((graph) => graph.constant('float32', square, floats(WIDTH ** 2)))),
  'layers of float16': () => rows(product(half), 'float16'),
  'layers of float16 with a cast': () =>
    rows(product((graph) => graph.node('Cast', [half(graph)], { to: FLOAT32 }))),
  'convolutions of float16': halfConvolutions,
  'matrices added, of float16': () => rows(added(half), 'float16'),
  'layers of int8': () => rows(product(dequantised)),
  'matrices added, of int8': () => rows(added(dequantised)),
  'weights of one number': () =>
    rows(
      added((graph, layer) =>
        graph.node('ConstantOfShape', [shapeOfSquare(graph)], {
          value: { type: 'float32', dims: [1], data: [layer + 0.5] },
        }),
      ),
    ),
  'rows repeated': () => rows(added((graph) => graph.node('Expand', [row(graph), shapeOfSquare(graph)]))),
  'rows in tiles': () =>
    rows(added((graph) => graph.node('Tile', [row(graph), graph.constant('int64', [2], [WIDTH, 1])]))),
  'products of thin matrices': () =>
    rows(
      added((graph) => {
        const [left, right] = [
          graph.constant('float32', [WIDTH, 4], floats(WIDTH * 4)),
          graph.constant('float32', [4, WIDTH], floats(WIDTH * 4)),
        ];
        return graph.node('MatMul', [left, right]);
      }),
    ),
  'a table that is multiplied with, of float32': () => tied('float32'),
  'a table that is multiplied with, of float16': () => tied('float16'),
  'weights that nothing needs': unused,
};

/** The bytes of a graph by its description. */
export function weighty(kind: string): Uint8Array {
  const make = KINDS[kind];
  if (!make) throw new Error(`no graph is described as ${kind}`);
  return make();
}
weighty.kinds = KINDS;
/** Of those with one matrix a layer. */
weighty.layers = LAYERS;
