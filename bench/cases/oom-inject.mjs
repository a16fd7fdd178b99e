// The allocator of inference refuses at a quarter of what a batch needs: every item comes through all the same.
import { fileURLToPath } from 'node:url';
import { uniform } from '../../scripts/make-model/test-graphs.mjs';

/**
 * @typedef {import('../harness/types.js').Context} Context
 * @typedef {{ items: number }} Plan
 */

const MODEL = fileURLToPath(new URL('../../models/photo-features.onnx', import.meta.url));
const SIDE = 256;
const BATCH = 32;
const SHARE = 0.25;

/** @param {number} share of the memory that a whole batch needs; beyond it the allocator refuses */
const side = (share) => ({
  fresh: true,
  open: async (/** @type {Plan} */ { items }) => {
    const { Batcher, ModelCache } = await import('../../dist/index.js');
    const { native } = await import('../../dist/native/load.js');
    const { ledger } = native();
    const models = new ModelCache({ device: 'cpu' });
    const model = await models.acquire(MODEL);
    const inputs = Array.from({ length: items }, (_, i) => pictureOf(i));
    const account = ledger.account('infer', 0);
    const idle = ledger.held(account);
    const need = await needOf(new Batcher(model, { minBatch: BATCH, maxBatch: BATCH }), inputs, ledger);
    return {
      async run() {
        ledger.setLimit(account, idle + share * need);
        const batcher = new Batcher(model, { minBatch: BATCH, maxBatch: BATCH });
        /** @type {number[]} */
        const order = [];
        const sums = new Float64Array(items);
        const start = performance.now();
        await Promise.all(
          inputs.map(async (pixels, i) => {
            const outputs = await batcher.submit({ pixels });
            order.push(i);
            for (const { data } of Object.values(outputs))
              sums[i] += sumOf(/** @type {Float64Array} */ (data));
          }),
        );
        const ms = performance.now() - start;
        if (share < 1 && batcher.stats().splits === 0) throw new Error('expected the allocator to refuse');
        const leaked = ledger.held(account) - idle;
        return {
          values: { ms, bytes: leaked, 'out of order': order.filter((item, i) => item !== i).length },
          result: Array.from(sums),
        };
      },
      async close() {
        model[Symbol.dispose]();
        await models.close();
      },
    };
  },
});

/**
 * The most that one whole batch holds beyond what the idle model does.
 * @param {import('../../dist/index.js').Batcher} batcher @param {readonly import('../../dist/index.js').Tensor[]} inputs
 * @param {import('../../src/contract/index.js').Ledger} ledger
 */
async function needOf(batcher, inputs, ledger) {
  const figures = () => ledger.snapshot().find(({ name }) => name === 'infer');
  const before = figures()?.bytes ?? 0;
  await Promise.all(inputs.slice(0, BATCH).map((pixels) => batcher.submit({ pixels })));
  if (batcher.stats().largest !== BATCH) throw new Error(`expected a batch of ${BATCH}`);
  return (figures()?.peak ?? 0) - before;
}

/** A picture that is the same everywhere. @param {number} i */
function pictureOf(i) {
  const random = uniform(300 + i);
  const data = Uint8Array.from({ length: SIDE * SIDE * 3 }, () => random() * 256);
  return { type: /** @type {const} */ ('uint8'), dims: [1, SIDE, SIDE, 3], data };
}

/** Integers, so in any order the same. @param {Float64Array} values */
function sumOf(values) {
  return values.reduce((sum, value) => sum + value, 0);
}

const inject = {
  measures: [
    { metric: 'ms', better: 'lower', target: { limit: 'unlimited', atMost: 2 } },
    {
      name: 'order',
      metric: 'out of order',
      better: 'lower',
      target: { limit: { name: 'bound', value: 0 } },
    },
    { name: 'leaked', metric: 'bytes', better: 'lower', target: { limit: { name: 'bound', value: 0 } } },
  ],
  skip: (/** @type {Context} */ { native }) =>
    native ? undefined : 'without the addon there is no allocator',
  data: async (/** @type {Context} */ { quick }) => {
    const items = quick ? 64 : 512;
    return {
      items,
      label: `${items} pictures in batches of ${BATCH}, allocator at ${100 * SHARE} % of need`,
    };
  },
  sides: { ours: side(SHARE), unlimited: side(Number.POSITIVE_INFINITY) },
};

export const cases = [{ name: 'oom.inject', contests: [inject] }];
