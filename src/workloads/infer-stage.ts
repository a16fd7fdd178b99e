// The stage that infers: the options of its batcher under the budget of a run.
import type { BatcherOptions } from '../batch/batcher-options.js';
import { allowedAt } from '../memory/levels.js';
import type { Parts } from '../pipeline/workload.js';
import type { InferStage } from './photo-options.js';

/** Fewer at once while memory is short or the machine warm, none while it is hot; and what a refused batch may ask for before it is split. */
export function stageBatcher(
  { memory, models, thermal }: Parts,
  stage: InferStage,
  signal: AbortSignal,
): BatcherOptions {
  return {
    ...stage,
    limit: () => {
      const cool = Math.max(1, thermal?.allowed(stage.maxBatch) ?? stage.maxBatch);
      return Math.min(allowedAt(memory.level, stage.maxBatch), cool);
    },
    hold: () => (thermal?.state === 'hot' ? thermal.wait(signal) : undefined),
    holdBack: () => memory.holdBack(),
    relief: () => models.evict(),
    signal,
  };
}

/** Items that may wait while the runs of the stage are full: one batch for each, and one to come. */
export function pendingOf({ maxBatch, concurrency = 1 }: InferStage): number {
  return (concurrency + 1) * maxBatch;
}
