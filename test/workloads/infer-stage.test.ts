import { describe, expect, it } from 'vitest';
import { ThermalManager } from '../../src/batch/thermal.js';
import { MemoryManager } from '../../src/memory/manager.js';
import { ModelCache } from '../../src/models/model-cache.js';
import { pendingOf, stageAcquisition, stageBatcher } from '../../src/workloads/infer-stage.js';
import { checkPhotosOptions, type PhotosOptions } from '../../src/workloads/photo-options.js';
import { identityGraph } from '../support/graphs.js';

describe('the stage that infers', () => {
  it('has batches of eight unless told, and its own word counts most', () => {
    expect(checkPhotosOptions({}).infer).toEqual({ maxBatch: 8 });
    expect(checkPhotosOptions({ maxBatch: 3 }).infer).toEqual({ maxBatch: 3 });
    const infer = {
      maxBatch: 5,
      maxLatency: '20ms',
      memoryShare: 0.25,
      cleanup: 'always',
      concurrency: 2,
      minBatch: 2,
      priority: 3,
      device: 'cuda',
    } as const;
    expect(checkPhotosOptions({ maxBatch: 3, stages: { infer } }).infer).toEqual(infer);
  });

  it('acquires its graph on its own device, which is no affair of its batcher', async () => {
    expect(stageAcquisition({ maxBatch: 8, device: 'cpu' })).toEqual({ device: 'cpu' });
    expect(stageAcquisition({ maxBatch: 8 })).toEqual({});
    using memory = new MemoryManager({ budget: '4GB' });
    await using models = new ModelCache();
    const stage = { maxBatch: 8, device: 'cpu', priority: 2 } as const;
    const options = stageBatcher({ memory, models }, stage, new AbortController().signal);
    expect(options).toMatchObject({ maxBatch: 8, priority: 2 });
    expect(options).not.toHaveProperty('device');
  });

  it('keeps its runs supplied', () => {
    expect(pendingOf({ maxBatch: 8 })).toBe(16);
    expect(pendingOf({ maxBatch: 8, concurrency: 3 })).toBe(32);
    expect(pendingOf({ maxBatch: 8 }, 2)).toBe(24);
  });

  it.each<[PhotosOptions, RegExp]>([
    [{ stages: { infer: { minBatch: 9 } } }, /minBatch/],
    [{ stages: { infer: { maxLatency: 'soon' } } }, /maxLatency/],
    [{ stages: { infer: { device: 'gpu' as never } } }, /photos\.stages\.infer\.device/],
    // A photo has one size once it is decoded: tokens would be items.
    [{ stages: { infer: { tokenBudget: 100 } as never } }, /photos\.stages\.infer\.tokenBudget/],
    [{ stages: { infer: { concurrency: 0 } } }, /concurrency/],
    [{ stages: { infer: { priority: Number.NaN } } }, /priority/],
    [{ stages: { infer: { memoryShare: 2 } } }, /memoryShare/],
    [{ stages: { infer: { cleanup: { every: 0 } } } }, /cleanup/],
    [{ stages: { read: {} } as never }, /photos\.stages\.read/],
  ])('refuses %o', (options, message) => {
    expect(() => checkPhotosOptions(options)).toThrow(message);
  });

  it('evicts models that nobody holds for a batch that was refused', async () => {
    using memory = new MemoryManager({ budget: '4GB' });
    const models = new ModelCache({ device: 'cpu' });
    const { relief } = stageBatcher({ memory, models }, { maxBatch: 8 }, new AbortController().signal);
    using held = await models.acquire(identityGraph('float32'));
    (await models.acquire(identityGraph('int64')))[Symbol.dispose]();
    const before = models.stats().bytes;
    const freed = await relief?.();
    expect(models.stats().models.map(({ sha256 }) => sha256)).toEqual([held.sha256]);
    expect(freed).toBe(before - models.stats().bytes);
    await models.close();
  });

  it('has smaller batches while it is warm, and begins none while it is hot', async () => {
    using memory = new MemoryManager({ budget: '4GB' });
    const models = new ModelCache({ device: 'cpu' });
    let celsius = 20;
    const sensors = [{ name: 'test', read: () => [{ name: 'chip', celsius }] }];
    const thermal = new ThermalManager({ soft: 70, hard: 80, resume: 65, sensors });
    const abort = new AbortController();
    const { limit, hold } = stageBatcher({ memory, models, thermal }, { maxBatch: 8 }, abort.signal);
    const feel = async (heat: number) => {
      celsius = heat;
      await thermal.sample();
      const held = hold?.();
      held?.catch(() => undefined);
      return [limit?.(), held !== undefined];
    };
    expect(await feel(20)).toEqual([8, false]);
    expect(await feel(75)).toEqual([4, false]);
    expect(await feel(90)).toEqual([1, true]);
    const held = hold?.();
    await feel(20);
    await held;
    await feel(90);
    const given = hold?.();
    abort.abort('enough');
    await expect(given).rejects.toBe('enough');
    await models.close();
  });
});
