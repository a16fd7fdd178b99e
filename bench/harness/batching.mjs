// Items of a graph, and three ways to run them: through the batcher, one by one, and in batches put together by hand.
import { median } from './statistics.mjs';

/**
 * @typedef {import('../../dist/index.js').Tensor} Tensor
 * @typedef {import('../../dist/index.js').Model} Model
 * @typedef {Readonly<Record<string, Tensor>>} Item
 * @typedef {import('../../dist/index.js').BatcherOptions} BatcherOptions
 * @typedef {{ model: string, dims: number[], lengths?: number[], items: number }} Load `dims`: of one item, where
 *   lengths vary with −1 for the length; `lengths`: those of the items, by turns
 * @typedef {(model: Model, items: readonly Item[]) => Promise<Float32Array[]>} Way runs all, and gives what each says
 */

/** Larger differences between an item in a batch and the same item alone are no rounding. */
const TOLERANCE = 1e-4;
const ROUNDS_BEFORE = 4;

/**
 * Opens a side that runs the items of a load in a way, which is prepared before any timing.
 * @param {(model: Model, items: readonly Item[], load: Load) => Way | Promise<Way>} prepare
 */
export function batchSide(prepare) {
  return {
    open: async (/** @type {Load} */ load) => {
      const { ModelCache } = await import('../../dist/index.js');
      const cache = new ModelCache({ device: 'cpu' });
      const model = await cache.acquire(load.model);
      const items = itemsOf(model, load);
      const expected = await oneByOne(model, items);
      const way = await prepare(model, items, load);
      return {
        async run() {
          const start = performance.now();
          const said = await way(model, items);
          const seconds = (performance.now() - start) / 1000;
          compare(said, expected);
          return { values: { 'items/s': items.length / seconds }, result: said.length };
        },
        async close() {
          model[Symbol.dispose]();
          await cache.close();
        },
      };
    },
  };
}

/** @type {Way} */
export async function oneByOne(model, items) {
  const said = [];
  for (const item of items) said.push(outputOf(await model.run(withMask(model, item))));
  return said;
}

/**
 * A batcher that lives as long as the side, as it does in a service, and has run about as much before as the sweep for
 * the best size does: both sides are measured with sizes chosen and with the same code compiled.
 * @param {BatcherOptions} options
 */
export function throughBatcher(options) {
  return async (/** @type {Model} */ model, /** @type {readonly Item[]} */ items) => {
    const { Batcher } = await import('../../dist/index.js');
    const batcher = new Batcher(model, options);
    const way = async (/** @type {Model} */ _model, /** @type {readonly Item[]} */ all) =>
      Promise.all(all.map(async (item) => outputOf(await batcher.submit(item))));
    for (let i = 0; i < ROUNDS_BEFORE; i++) await way(model, items);
    return way;
  };
}

/** Batches of `size` in order, padded to the longest. @param {number} size @returns {Way} */
export function inBatchesOf(size) {
  return async (model, items) => {
    const said = [];
    for (let at = 0; at < items.length; at += size) {
      const some = items.slice(at, at + size);
      const { type, dims, data } = tensorOf(await model.run(joined(model, some)));
      const values = /** @type {Float32Array} */ (data);
      const step = values.length / some.length;
      // Of an output as long as its item, the beginning is its own.
      const perToken = dims.length === 3 ? /** @type {number} */ (dims[2]) : undefined;
      for (const [i, item] of some.entries()) {
        const own = perToken === undefined ? step : lengthOf(item) * perToken;
        said.push(values.slice(i * step, i * step + own));
      }
      if (type !== 'float32') throw new TypeError(`expected float32 but the output is ${type}`);
    }
    return said;
  };
}

/** The size from `sizes` with the best rate over `items`, each tried three times. @param {readonly number[]} sizes */
export function bestOf(sizes) {
  return async (/** @type {Model} */ model, /** @type {readonly Item[]} */ items) => {
    const rates = [];
    for (const size of sizes) {
      const some = items.slice(0, Math.max(64, 4 * size));
      const tries = [];
      for (let i = 0; i < 3; i++) {
        const start = performance.now();
        await inBatchesOf(size)(model, some);
        tries.push(some.length / (performance.now() - start));
      }
      rates.push(median(tries));
    }
    return inBatchesOf(/** @type {number} */ (sizes[rates.indexOf(Math.max(...rates))]));
  };
}

/** Items that are the same everywhere. @param {Model} model @param {Load} load @returns {Item[]} */
export function itemsOf(model, { dims, lengths = [], items }) {
  const [name] = model.inputNames;
  return Array.from({ length: items }, (_, i) => {
    const own = dims.map((size) => (size < 0 ? /** @type {number} */ (lengths[i % lengths.length]) : size));
    const length = own.reduce((product, size) => product * size, 1);
    const data = Float32Array.from(
      { length },
      (_, k) => (((i + 1) * 7919 + k * 104_729) % 1000) / 1000 - 0.5,
    );
    return { [/** @type {string} */ (name)]: { type: 'float32', dims: own, data } };
  });
}

/** With the mask that a graph for several lengths takes. @param {Model} model @param {Item} item @returns {Item} */
function withMask(model, item) {
  if (!model.inputNames.includes('mask')) return item;
  const length = lengthOf(item);
  return { ...item, mask: { type: 'float32', dims: [1, length], data: new Float32Array(length).fill(1) } };
}

/** @param {Model} model @param {readonly Item[]} items @returns {Item} */
function joined(model, items) {
  const name = /** @type {string} */ (model.inputNames[0]);
  const tensors = items.map((item) => tensorOf(item));
  const longest = Math.max(...tensors.map(({ data }) => data.length));
  const data = new Float32Array(items.length * longest);
  for (const [i, tensor] of tensors.entries())
    data.set(/** @type {Float32Array} */ (tensor.data), i * longest);
  const dims = [...(tensors.find((tensor) => tensor.data.length === longest)?.dims ?? [])];
  dims[0] = items.length;
  const x = { type: /** @type {const} */ ('float32'), dims, data };
  if (!model.inputNames.includes('mask')) return { [name]: x };
  const length = /** @type {number} */ (dims[1]);
  const mask = new Float32Array(items.length * length);
  for (const [i, item] of items.entries()) mask.fill(1, i * length, i * length + lengthOf(item));
  return { [name]: x, mask: { type: 'float32', dims: [items.length, length], data: mask } };
}

/** @param {readonly Float32Array[]} said @param {readonly Float32Array[]} expected */
function compare(said, expected) {
  for (const [i, values] of expected.entries()) {
    const other = said[i];
    if (other?.length !== values.length)
      throw new Error(`expected ${values.length} values for item ${i} but received ${other?.length}`);
    const wrong = values.findIndex(
      (value, k) => Math.abs(value - /** @type {number} */ (other[k])) > TOLERANCE,
    );
    if (wrong >= 0) throw new Error(`expected ${values[wrong]} for item ${i} but received ${other[wrong]}`);
  }
}

/** @param {Item} item */
function lengthOf(item) {
  return tensorOf(item).dims[1] ?? 1;
}

/** The one tensor of an item or an output. @param {Item} item @returns {Tensor} */
function tensorOf(item) {
  return /** @type {Tensor} */ (Object.values(item)[0]);
}

/** @param {Item} outputs */
function outputOf(outputs) {
  return /** @type {Float32Array} */ (tensorOf(outputs).data);
}
