// Small graphs for tests, made on the spot.
import { type ElementType, encodeModel } from '../../scripts/make-model/encoder.mjs';

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
export function chainGraph({ layers, width, distinct = false }: ChainOptions): Uint8Array {
  const weightsOf = (layer: number) => {
    const weights = new Float32Array(width * width);
    let state = layer * 7919 + 1; // a linear congruential series: quick, and different in each layer
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
}

/** A feed of ones for {@link chainGraph}. */
export function ones(rows: number, width: number) {
  return { type: 'float32' as const, dims: [rows, width], data: new Float32Array(rows * width).fill(1) };
}

/** A graph whose run over `slowFeed` takes some hundred milliseconds, in many nodes. */
export const slowGraph = () => chainGraph({ layers: 120, width: 384 });
export const slowFeed = () => ({ x: ones(384, 384) });
