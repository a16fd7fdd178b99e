// The sizes of the batches of all shapes that a batcher sees.
import { native } from '../native/load.js';

import { BatchSize, type Room, type Size, type SizePlan } from './batch-size.js';
import { watchRun } from './run-memory.js';

export interface SizingPlan extends SizePlan {
  /** Of the budget, that a run may take beyond the loaded model; undefined: not bounded, nor measured. */
  readonly memoryShare?: number | undefined;
  readonly limit?: (() => number) | undefined;
  /** The model runs one batch after another: the time of one begins when the one before has ended. */
  readonly inTurn?: boolean | undefined;
}

/** What a batch of the shape that ran last takes, as fitted: milliseconds and bytes; per item, or per token. */
export interface BatchFit {
  readonly msPerUnit: number;
  readonly msPerRun: number;
  /** Undefined without `memoryShare`, and where runs cannot be measured: in a child process, or of one size only. */
  readonly bytesPerUnit: number | undefined;
  readonly bytesPerRun: number | undefined;
}

/** Shapes that are remembered; of more, the one that was used longest ago is learned anew. */
const SHAPES = 256;

export class Sizing {
  readonly #plan: SizingPlan;
  readonly #sizes = new Map<string, BatchSize>();
  #last: BatchSize | undefined;
  #lastEnd = Number.NEGATIVE_INFINITY;

  constructor(plan: SizingPlan) {
    this.#plan = plan;
  }

  /** The size of the next batch of a shape whose items cost about `unit`, with `tokens` at most. */
  next(shape: string, unit: number, tokens: number): Size & { readonly items: number } {
    const room = this.#room(tokens);
    const items = Math.max(1, Math.min(this.#plan.maxBatch, room.items));
    return { ...this.#of(shape).next(unit, room), items };
  }

  /**
   * Starts measuring a run of `cost` in all, each item about `unit`. Call the result when it has succeeded, for its
   * milliseconds; with what the model itself took where that is known. A batch took no less: two that end while the
   * loop is busy seem to end at once.
   */
  begin(shape: string, cost: number, unit: number): (modelMs?: number) => number {
    const size = this.#of(shape);
    const bytesTaken = this.#plan.memoryShare === undefined ? () => undefined : watchRun();
    const start = performance.now();
    return (modelMs = 0) => {
      this.#last = size;
      const end = performance.now();
      const ms = Math.max(modelMs, end - (this.#plan.inTurn ? Math.max(start, this.#lastEnd) : start));
      this.#lastEnd = end;
      size.ran({ cost, unit, ms, bytes: bytesTaken() });
      return ms;
    };
  }

  /** The cost above which memory refused batches of a shape; `Infinity` where it did not. */
  ceilingOf(shape: string): number {
    return this.#of(shape).ceiling;
  }

  refused(shape: string, cost: number): void {
    this.#of(shape).refused(cost);
  }

  fit(): BatchFit | undefined {
    const time = this.#last?.time.line();
    const bytes = this.#last?.bytes.line();
    return (
      time && {
        msPerUnit: time.perUnit,
        msPerRun: time.perRun,
        bytesPerUnit: bytes?.perUnit,
        bytesPerRun: bytes?.perRun,
      }
    );
  }

  #room(tokens: number): Room {
    const { memoryShare, limit, maxBatch } = this.#plan;
    const items = Math.max(1, Math.floor(limit?.() ?? maxBatch));
    if (memoryShare === undefined) return { items, tokens, bytes: Number.POSITIVE_INFINITY };
    const { budgetBytes, headroomBytes } = native().governor.measure();
    return { items, tokens, bytes: Math.min(memoryShare * budgetBytes, Math.max(0, headroomBytes)) };
  }

  #of(shape: string): BatchSize {
    const size = this.#sizes.get(shape) ?? new BatchSize(this.#plan);
    this.#sizes.delete(shape);
    this.#sizes.set(shape, size);
    const [oldest] = this.#sizes.keys();
    if (this.#sizes.size > SHAPES && oldest !== undefined) this.#sizes.delete(oldest);
    return size;
  }
}
