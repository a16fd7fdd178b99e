// The options of a batcher: checked, defaults filled in.
import * as v from 'valibot';
import { parseDuration } from '../util/durations.js';
import { invalidArgument } from '../util/errors.js';
import { parseOptions, signalSchema } from '../util/options.js';
import type { BatchRunner } from './batch-runner.js';
import { paddingSchema } from './padding-plan.js';

const count = () => v.pipe(v.number(), v.integer(), v.minValue(1));
/** Beyond it no model gains anything. */
const MOST_BATCH = 1024;
const duration = v.union([v.number(), v.string()]);
const callback = <F>() => v.custom<F>((value) => typeof value === 'function', 'a function');

/** What may be set for each stage of a run that infers. */
const stageEntries = {
  /** No speed is sought in batches below so many items, nor latency; only memory makes them smaller. 1 unless told. */
  minBatch: v.optional(count(), 1),
  /** Items in a batch at most; 64 unless told. Batches grow to it as long as that makes items cheaper. */
  maxBatch: v.optional(v.pipe(count(), v.maxValue(MOST_BATCH)), 64),
  /**
   * `'20ms'`, or milliseconds; not bounded unless told. Batches are sized so that a run takes no longer; and while another run of this batcher is going on, items are
   * gathered for so long at most before a batch that is not full begins, without it until a run ends. When none is going
   * on, nothing waits: a batch begins at once. Time in the line of a batcher that has more to do than it can is beside.
   */
  maxLatency: v.optional(duration),
  /**
   * Above 0 and up to 1: of the budget (without one, of the limit that binds), what a run may take beyond the loaded
   * model, and never more than is free. Measured at the engine; without it memory bounds a batch by `limit` alone, and
   * by what was refused before.
   */
  memoryShare: v.optional(v.pipe(v.number(), v.gtValue(0), v.maxValue(1))),
  /**
   * Runs that are handed to the model at a time at most. Unless told 1; but 2 where neither `maxLatency` nor
   * `memoryShare` is given and the model itself runs one after another (see `BatchRunner.concurrency`): then the next
   * full batch is ready when one ends.
   */
  concurrency: v.optional(count()),
  /**
   * Of items that do not say; 0 unless told, more goes first, and a second of waiting counts for one step. In this
   * batcher, and where a batch waits for the cores, of which it has the priority of its most urgent item, also among
   * those of other models and stages (native engine; the stock one orders the runs of its process).
   */
  priority: v.optional(v.pipe(v.number(), v.finite()), 0),
  /** What is given back after each batch, also a failed one; `'pressure'` unless told. See {@link CleanupPolicy}. */
  cleanup: v.optional(
    v.union([v.picklist(['never', 'pressure', 'always']), v.strictObject({ every: count() })]),
    'pressure',
  ),
};

/** The part of the options that belongs into the configuration of a stage. */
export const inferStageSchema = v.strictObject(stageEntries);

export type InferStageOptions = v.InferInput<typeof inferStageSchema>;

const schema = v.strictObject({
  ...stageEntries,
  /**
   * Tokens in a batch at most, padding included; an item that has more runs alone. A token is a step along the padded
   * dimension, without `pad` along the second dimension of an item's first input.
   */
  tokenBudget: v.optional(count(), Number.MAX_SAFE_INTEGER),
  /**
   * Lets items of several lengths share a batch. Without it only items of equal shapes do: a graph without a mask may
   * say something else of an item that was padded, so nothing is ever padded unasked.
   */
  pad: v.optional(paddingSchema),
  /** Of the tokens of a batch, that may be padding: neighbours in length are sought among those that wait. */
  maxPadding: v.optional(v.pipe(v.number(), v.minValue(0), v.ltValue(1)), 0.1),
  /** Items in the next batch at most, if fewer: asked before each, for what memory allows now. */
  limit: v.optional(callback<() => number>()),
  /** Asked before each batch: none begins before what it returns, if anything, has settled. */
  hold: v.optional(callback<() => Promise<void> | undefined>()),
  /**
   * Asked for memory when a batch was refused, after dead buffers and free pages were given back: evicts what is idle
   * (other models) and resolves with the bytes it got.
   */
  relief: v.optional(callback<() => Promise<number>>()),
  /**
   * Opens the model that runs an item which memory refuses even alone (on the CPU), and all of them once the device of
   * the first is lost. Asked once, when it is needed; it belongs to the caller.
   */
  fallback: v.optional(callback<() => Promise<BatchRunner>>()),
  /** Keeps others from taking memory while an item that was refused alone, and elsewhere, is tried again; without it, it fails. */
  holdBack: v.optional(callback<() => Disposable>()),
  /** Aborts what waits and what runs. */
  signal: signalSchema,
});

export type BatcherOptions = v.InferInput<typeof schema>;

/** Final values. */
export type BatcherPlan = Omit<v.InferOutput<typeof schema>, 'maxLatency'> & {
  readonly maxLatencyMs: number;
  readonly concurrency: number;
  /** Whether the model runs one batch after another, so that one that was handed to it early waits there. */
  readonly inTurn: boolean;
};

/** For a model that runs `modelConcurrency` batches at a time. Throws `ERR_INVALID_ARGUMENT`. */
export function planBatcher(options: BatcherOptions, modelConcurrency?: number): BatcherPlan {
  const { maxLatency, ...plan } = parseOptions(schema, options, 'Batcher');
  if (plan.minBatch > plan.maxBatch)
    throw invalidArgument('Batcher.minBatch', `at most maxBatch (${plan.maxBatch})`, plan.minBatch);
  const maxLatencyMs =
    maxLatency === undefined ? Number.POSITIVE_INFINITY : parseDuration(maxLatency, 'Batcher.maxLatency');
  const inTurn = modelConcurrency === 1;
  const ahead = inTurn && maxLatency === undefined && plan.memoryShare === undefined;
  return { ...plan, maxLatencyMs, inTurn, concurrency: plan.concurrency ?? (ahead ? 2 : 1) };
}

export interface SubmitOptions {
  /** More goes first; the batcher's own unless told. A second of waiting counts for one step. */
  readonly priority?: number | undefined;
  /** Time from now until it has to have begun to run, else it rejects with `ERR_DEADLINE`. */
  readonly deadline?: number | string | undefined;
  /** Gives the item up, whether it waits or runs: its promise rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
}

/** Final values of one submission. Throws `ERR_INVALID_ARGUMENT`. */
export function planSubmission({ priority, deadline }: SubmitOptions, usual: number) {
  if (priority !== undefined && !Number.isFinite(priority))
    throw invalidArgument('priority', 'a finite number', priority);
  return {
    priority: priority ?? usual,
    deadlineMs: deadline === undefined ? Number.POSITIVE_INFINITY : parseDuration(deadline, 'deadline'),
  };
}
