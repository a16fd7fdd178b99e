// Models for the benches: made once, as files.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { mlp, slow } from '../../scripts/make-model/test-graphs.mjs';
import { dataSet } from './data-sets.mjs';

/** Dense layers of `width`, `x` [n, width] → `y`; the path of the file. @param {{ layers: number, width: number }} size */
export function mlpFile({ layers, width }) {
  return fileOf(`mlp-${layers}x${width}`, () => mlp({ layers, width }));
}

/** A graph of many nodes that takes its time: 75 to 150 ms a row; the path of the file. */
export function slowFile() {
  return fileOf('slow', () => slow());
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
