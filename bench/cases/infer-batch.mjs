// Batches that size themselves, beside one by one and the best size a sweep can find; and items of several lengths.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { uniform } from '../../scripts/make-model/test-graphs.mjs';
import { batchSide, bestOf, inBatchesOf, oneByOne, throughBatcher } from '../harness/batching.mjs';
import { attentionFile, convolutionsFile, mlpFile } from '../harness/graphs.mjs';

/**
 * @typedef {import('../harness/types.js').Context} Context
 * @typedef {import('../harness/batching.mjs').Load} Load
 * @typedef {{
 *   name: string, atLeast?: number, most?: number, load: (quick: boolean) => Promise<Load>,
 *   options?: import('../../dist/index.js').BatcherOptions, skip?: () => string | undefined, label: string
 * }} Shape `atLeast`: owed over one by one; `most`: the largest batch of the sweep
 */

const RESNET = fileURLToPath(new URL('../../../shared/data/onnx/light_resnet50.onnx', import.meta.url));
const MOST = 128;
/** From 8 to 512, as many of each octave: texts are like that. */
const LENGTHS = (() => {
  const random = uniform(77);
  return Array.from({ length: 509 }, () => Math.round(8 * 64 ** random()));
})();
const PADDED = { pad: { inputs: { x: { axis: 1 } }, mask: 'mask' } };
const VARIABLE = { width: 64, layers: 2 };

/** @type {Shape[]} */
export const shapes = [
  {
    name: 'mlp',
    atLeast: 8,
    load: async (quick) => ({
      model: await mlpFile({ layers: 6, width: 2048 }),
      dims: [1, 2048],
      items: quick ? 512 : 2048,
    }),
    label: 'mlp 6×2048',
  },
  {
    name: 'conv',
    load: async (quick) => ({
      model: await convolutionsFile({ layers: 4, channels: 32, side: 56 }),
      dims: [1, 3, 56, 56],
      items: quick ? 256 : 2048,
    }),
    label: '4 convolutions of 32 channels, 56 × 56',
  },
  {
    name: 'attention',
    load: async (quick) => ({
      model: await attentionFile({ length: 64, width: 128, layers: 2 }),
      dims: [1, 64, 128],
      items: quick ? 512 : 4096,
    }),
    label: '2 layers of attention over 64 tokens of 128',
  },
  {
    name: 'attention-variable',
    load: async (quick) => ({
      model: await attentionFile(VARIABLE),
      dims: [1, -1, 64],
      lengths: LENGTHS,
      items: quick ? 512 : 2048,
    }),
    options: PADDED,
    label: '2 layers of attention over 8 to 512 tokens of 64',
  },
  {
    name: 'resnet50',
    most: 1,
    load: async (quick) => ({ model: RESNET, dims: [1, 3, 224, 224], items: quick ? 16 : 64 }),
    options: { maxBatch: 1 },
    skip: () => (existsSync(RESNET) ? undefined : `${RESNET} is not there`),
    label: 'light_resnet50, whose graph fixes batches of one',
  },
];

/** @param {Shape} shape */
const contestOf = ({ name, atLeast, most = MOST, load, options, skip, label }) => ({
  measures: [
    {
      name,
      metric: 'items/s',
      better: /** @type {const} */ ('higher'),
      target: { atLeast: { 'best-fixed': 0.97, ...(atLeast !== undefined && { 'one-by-one': atLeast }) } },
    },
  ],
  skip: ({ native }) => skip?.() ?? (native ? undefined : 'exact figures need the native engine'),
  data: async (/** @type {Context} */ { quick }) => {
    const { items, ...rest } = await load(quick);
    return { items, ...rest, label: `${items} items, ${label}` };
  },
  sides: {
    ours: batchSide(throughBatcher({ maxBatch: MOST, ...options })),
    'one-by-one': batchSide(() => oneByOne),
    'best-fixed': batchSide(bestOf([1, 2, 4, 8, 16, 32, 64, 128].filter((size) => size <= most))),
  },
});

const ragged = {
  measures: [
    {
      metric: 'items/s',
      better: /** @type {const} */ ('higher'),
      target: { atLeast: { 'fifo-16': 3 } },
    },
  ],
  skip: (/** @type {Context} */ { native }) => (native ? undefined : 'exact figures need the native engine'),
  data: async (/** @type {Context} */ { quick }) => {
    const items = quick ? 512 : 2048;
    const model = await attentionFile(VARIABLE);
    return {
      model,
      dims: [1, -1, 64],
      lengths: LENGTHS,
      items,
      label: `${items} items of 8 to 512 tokens of 64`,
    };
  },
  sides: {
    ours: batchSide(throughBatcher({ ...PADDED, tokenBudget: 4096 })),
    'fifo-16': batchSide(() => inBatchesOf(16)),
    'one-by-one': batchSide(() => oneByOne),
  },
};

export const cases = [
  { name: 'infer.batch', contests: shapes.map(contestOf) },
  { name: 'infer.ragged', contests: [ragged] },
];
