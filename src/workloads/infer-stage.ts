// The stage that infers: the options of its batcher under the budget of a run.
import type { BatcherOptions } from '../batch/batcher-options.js';
import { allowedAt } from '../memory/levels.js';
import type { AcquireOptions } from '../models/model-cache-options.js';
import type { Parts } from '../pipeline/workload.js';
import type { InferStage } from './photo-options.js';

/** How the graph of a stage is acquired. */
export function stageAcquisition({ device }: InferStage): AcquireOptions {
  return device === undefined ? {} : { device };
}

/**
 * Fewer at once while memory is short or the machine warm, none while it is hot; and what a refused batch may ask for
 * before it is split.
 */
export function stageBatcher(
  { memory, models, thermal }: Parts,
  { device: _acquired, ...stage }: InferStage,
  signal: AbortSignal,
  fallback?: BatcherOptions['fallback'],
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
    fallback,
    signal,
  };
}

/** Items that may wait while `runs` of the stage are full: one batch for each, and one to come. */
export function pendingOf({ maxBatch, concurrency = 1 }: InferStage, runs = concurrency): number {
  return (runs + 1) * maxBatch;
}
