// Gathers single items into batches for a model: dispatches at once when idle, fills up while a run is busy.
import type { Tensor, TensorElements } from '../contract/index.js';
import { codeOf, invalidArgument, SpillwayError } from '../util/errors.js';

/** What a batcher needs of a model. */
export interface BatchRunner {
  run(feeds: Record<string, Tensor>, options: { signal?: AbortSignal }): Promise<Record<string, Tensor>>;
}

export interface BatcherOptions {
  /** Items in a batch at most; 8 unless told. */
  readonly maxBatch?: number;
  /** Items in the next batch at most, if fewer: asked before each, for what memory allows now. */
  readonly limit?: () => number;
  /** Aborts what waits and what runs. */
  readonly signal?: AbortSignal;
}

export interface BatcherStats {
  readonly items: number;
  readonly batches: number;
  /** Batches that were split because the budget refused their memory. */
  readonly splits: number;
  /** Items of the largest batch that ran. */
  readonly largest: number;
}

type Item = Readonly<Record<string, Tensor>>;
export type Numeric = Exclude<TensorElements, readonly string[]>;

interface Job {
  readonly item: Item;
  readonly resolve: (outputs: Item) => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * Runs items whose tensors all have a first dimension of 1 and else equal shapes. One batch runs at a time; its
 * outputs are split again along the first dimension, and each submitter gets a copy of its own row.
 */
export class Batcher {
  readonly #model: BatchRunner;
  readonly #maxBatch: number;
  readonly #limit: () => number;
  readonly #signal: AbortSignal | undefined;
  readonly #queue: Job[] = [];
  #running = false;
  #stats = { items: 0, batches: 0, splits: 0, largest: 0 };

  constructor(model: BatchRunner, { maxBatch = 8, limit = () => maxBatch, signal }: BatcherOptions = {}) {
    if (!Number.isInteger(maxBatch) || maxBatch < 1)
      throw invalidArgument('maxBatch', 'an integer of at least 1', maxBatch);
    this.#model = model;
    this.#maxBatch = maxBatch;
    this.#limit = limit;
    this.#signal = signal;
  }

  /**
   * Queues one item and resolves with its outputs. Its tensors are copied when the batch starts and must stay as
   * they are until the promise settles.
   */
  submit(item: Item): Promise<Item> {
    for (const [name, { dims }] of Object.entries(item))
      if (dims[0] !== 1)
        throw invalidArgument(name, 'a tensor of one item (first dimension 1)', `[${dims.join()}]`);
    return new Promise((resolve, reject) => {
      this.#queue.push({ item, resolve, reject });
      void this.#pump();
    });
  }

  stats(): BatcherStats {
    return { ...this.#stats };
  }

  async #pump(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    // One turn of the loop lets the submitters of the same instant into the first batch.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#queue.length > 0) {
      const items = Math.max(1, Math.min(this.#maxBatch, this.#limit()));
      await this.#runAll(this.#queue.splice(0, items));
    }
    this.#running = false;
  }

  /** Runs the jobs in one batch; where the budget refuses, in halves, down to one at a time. */
  async #runAll(jobs: readonly Job[]): Promise<void> {
    try {
      const rows = await this.#runBatch(jobs.map(({ item }) => item));
      for (const [i, { resolve }] of jobs.entries()) resolve(rows[i] as Item);
    } catch (error) {
      if (codeOf(error) !== 'ERR_OUT_OF_MEMORY' || jobs.length === 1) {
        for (const { reject } of jobs) reject(error);
        return;
      }
      this.#stats.splits++;
      const half = Math.ceil(jobs.length / 2);
      await this.#runAll(jobs.slice(0, half));
      await this.#runAll(jobs.slice(half));
    }
  }

  async #runBatch(items: readonly Item[]): Promise<Item[]> {
    this.#signal?.throwIfAborted();
    const feeds: Record<string, Tensor> = {};
    for (const name of Object.keys(items[0] as Item)) feeds[name] = stack(name, items);
    const outputs = await this.#model.run(feeds, this.#signal ? { signal: this.#signal } : {});
    this.#stats.items += items.length;
    this.#stats.batches++;
    this.#stats.largest = Math.max(this.#stats.largest, items.length);
    return items.map((_, row) =>
      Object.fromEntries(
        Object.entries(outputs).map(([name, tensor]) => [name, rowOf(name, tensor, row, items.length)]),
      ),
    );
  }
}

/** Joins one input of all items along the first dimension. */
function stack(name: string, items: readonly Item[]): Tensor {
  const first = tensorOf(items[0] as Item, name);
  if (items.length === 1) return first;
  for (const item of items) {
    const { dims } = tensorOf(item, name);
    if (dims.length !== first.dims.length || dims.some((size, axis) => size !== first.dims[axis]))
      throw invalidArgument(name, `items of one shape [${first.dims.join()}]`, `[${dims.join()}]`);
  }
  const dims = [items.length, ...first.dims.slice(1)];
  if (isText(first.data))
    return {
      type: first.type,
      dims,
      data: items.flatMap((item) => tensorOf(item, name).data as readonly string[]),
    };
  const data = emptyLike(first.data, items.length * first.data.length);
  for (const [i, item] of items.entries())
    (data as Uint8Array).set(tensorOf(item, name).data as Uint8Array, i * first.data.length);
  return { type: first.type, dims, data };
}

/** Zeros of the same kind. A Buffer is a Uint8Array whose constructor must not be used. */
export function emptyLike(data: Numeric, length: number): Numeric {
  const Elements = (data instanceof Uint8Array ? Uint8Array : data.constructor) as new (
    length: number,
  ) => Numeric;
  return new Elements(length);
}

function tensorOf(item: Item, name: string): Tensor {
  const tensor = item[name];
  if (!tensor)
    throw invalidArgument(
      'item',
      `a tensor named ${name}, as the other items have`,
      Object.keys(item).join(),
    );
  return tensor;
}

function rowOf(name: string, { type, dims, data }: Tensor, row: number, rows: number): Tensor {
  if (dims[0] !== rows)
    throw new SpillwayError(
      'ERR_MODEL_REJECTED',
      `expected the output ${name} to have one row per item (${rows}) but its shape is [${dims.join()}]: the graph cannot be batched`,
    );
  const length = data.length / rows;
  return {
    type,
    dims: [1, ...dims.slice(1)],
    data: data.slice(row * length, (row + 1) * length) as TensorElements,
  };
}

function isText(data: TensorElements): data is readonly string[] {
  return Array.isArray(data);
}
