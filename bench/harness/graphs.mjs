// Models for the benches: made once, as files.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { attention, convolutions, mlp, slow } from '../../scripts/make-model/test-graphs.mjs';
import { dataSet } from './data-sets.mjs';

/** Dense layers of `width`, `x` [n, width] → `y`; the path of the file. @param {{ layers: number, width: number }} size */
export function mlpFile({ layers, width }) {
  return fileOf(`mlp-${layers}x${width}`, () => mlp({ layers, width }));
}

/** A graph of many nodes that takes its time: 75 to 150 ms a row; the path of the file. */
export function slowFile() {
  return fileOf('slow', () => slow());
}

/** Convolutions over `x` [n, 3, side, side]; the path of the file. @param {{ layers: number, channels: number, side: number }} size */
export function convolutionsFile({ layers, channels, side }) {
  return fileOf(`convolutions-${layers}x${channels}-${side}`, () => convolutions({ layers, channels, side }));
}

/**
 * Attention over `x` [n, length, width]; of any length, with a `mask`, where none is given; the path of the file.
 * @param {{ length?: number, width: number, layers: number }} size
 */
export function attentionFile({ length, width, layers }) {
  const size = { width, layers, length: length ?? 't', masked: length === undefined };
  return fileOf(`attention-${layers}x${width}-${size.length}`, () => attention(size));
}

/** A batch that is the same everywhere. @param {number} rows @param {number} width */
export function feed(rows, width) {
  const data = Float32Array.from({ length: rows * width }, (_, i) => ((i * 7919) % 1000) / 1000 - 0.5);
  return { type: /** @type {const} */ ('float32'), dims: [rows, width], data };
}

/** @param {string} name @param {() => Uint8Array} make */
async function fileOf(name, make) {
  const folder = await dataSet(`model-${name}`, (to) => writeFileSync(path.join(to, 'model.onnx'), make()));
  return path.join(folder, 'model.onnx');
}
