// Graphs that insist on a number of rows: what is missing is filled up, and what comes of that is dropped.
import type { Tensor, TensorElements } from '../contract/index.js';
import { invalidArgument, SpillwayError } from '../util/errors.js';
import type { BatchRunner } from './batch-runner.js';
import { emptyLike, type Numeric } from './rows.js';

/**
 * Runs a graph whose first dimension is fixed to `rows`: batches of fewer items are filled up with zeros, and the
 * outputs cut to the rows asked for. Strings cannot be filled up.
 */
export function fixedBatch(model: BatchRunner, rows: number): BatchRunner {
  const { device, concurrency } = model;
  const runRows = model.runRows?.bind(model);
  return {
    ...(device && { device }),
    concurrency,
    async run(feeds, options) {
      const asked = Math.max(...Object.values(feeds).map(({ dims }) => dims[0] ?? 0));
      const outputs = await model.run(fillAll(feeds, rows), options);
      return Object.fromEntries(
        Object.entries(outputs).map(([name, tensor]) => [name, cut(name, tensor, rows, asked)]),
      );
    },
    runRows:
      runRows &&
      (async (feeds, asked, options) => (await runRows(fillAll(feeds, rows), rows, options)).slice(0, asked)),
  };
}

function fillAll(feeds: Readonly<Record<string, Tensor>>, rows: number): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, fill(name, tensor, rows)]));
}

function fill(name: string, { type, dims, data }: Tensor, rows: number): Tensor {
  const given = dims[0] ?? 0;
  if (given === rows) return { type, dims, data };
  if (given > rows || Array.isArray(data))
    throw invalidArgument(name, `a tensor of numbers with at most ${rows} rows`, `[${dims.join()}]`);
  const filled = emptyLike(data as Numeric, (data.length / given) * rows);
  (filled as Uint8Array).set(data as Uint8Array);
  return { type, dims: [rows, ...dims.slice(1)], data: filled };
}

function cut(name: string, { type, dims, data }: Tensor, rows: number, asked: number): Tensor {
  if (dims[0] !== rows)
    throw new SpillwayError(
      'ERR_MODEL_REJECTED',
      `expected the output ${name} to have one row per item (${rows}) but its shape is [${dims.join()}]`,
    );
  if (asked === rows) return { type, dims, data };
  const kept = data.slice(0, (data.length / rows) * asked) as TensorElements;
  return { type, dims: [asked, ...dims.slice(1)], data: kept };
}
