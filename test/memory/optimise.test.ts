import { describe, expect, it } from 'vitest';
import { optimise } from '../../src/memory/optimise.js';

const GB = 1e9;

describe('workers and batch size', () => {
  it('are bound by the cores and by what gains speed where there is memory', () => {
    const { reason, ...counts } = optimise(
      { count: 1000, meanBytes: '5MB' },
      { headroomBytes: 16 * GB, cores: 8 },
    );
    expect(counts).toEqual({ workers: 8, batchSize: 64 });
    expect(reason).toBe(
      'an item takes about 40 MB and 16 GB are free: 8 at once, bound by the 8 cores; ' +
        'batches of 64, bound by what still gains speed',
    );
  });

  it('are bound by memory where that is short', () => {
    const { reason, ...counts } = optimise(
      { count: 1000, meanBytes: '5MB' },
      { headroomBytes: 0.4 * GB, cores: 8 },
    );
    expect(counts).toEqual({ workers: 5, batchSize: 5 });
    expect(reason).toMatch(/5 at once, bound by memory; batches of 5, bound by memory/);
  });

  it('are no more than the items', () => {
    const plenty = { headroomBytes: 16 * GB, cores: 8 };
    expect(optimise({ count: 3, meanBytes: 1000 }, plenty)).toMatchObject({ workers: 3, batchSize: 3 });
    expect(optimise({ count: 0, meanBytes: 1000 }, plenty)).toMatchObject({ workers: 1, batchSize: 1 });
  });

  it('are one where not even one item fits', () => {
    for (const headroomBytes of [10e6, 0, -5e6])
      expect(optimise({ count: 10, meanBytes: '5MB' }, { headroomBytes, cores: 4 })).toEqual({
        workers: 1,
        batchSize: 1,
        reason: expect.stringMatching(/one at a time, which waits for memory or is refused/),
      });
  });

  it('go by what the caller knows of the items', () => {
    const means = { headroomBytes: 0.4 * GB, cores: 8 };
    expect(optimise({ count: 1000, meanBytes: '5MB', decodeFactor: 1 }, means)).toMatchObject({
      workers: 8,
      batchSize: 64,
    });
  });

  it('go by what batches of the model were measured to take', () => {
    const means = { headroomBytes: 16 * GB, cores: 8 };
    const work = { count: 1000, meanBytes: 1000 };
    const flat = { msPerUnit: 1, msPerRun: 0.1 };
    expect(optimise({ ...work, fit: flat }, means)).toMatchObject({
      batchSize: 4,
      reason: expect.stringMatching(/batches of 4, bound by what gained speed as measured$/),
    });
    const steep = { msPerUnit: 0.2, msPerRun: 2.2 };
    expect(optimise({ ...work, fit: steep }, means)).toMatchObject({ batchSize: 539 });
    const hungry = { ...steep, bytesPerUnit: 0.5 * GB };
    expect(optimise({ ...work, fit: hungry }, means)).toMatchObject({
      batchSize: 31,
      reason: expect.stringMatching(/bound by memory$/),
    });
  });

  it.each([[1], [2], [7], [16]])('together stay within the memory there is (%i cores)', (cores) => {
    for (const headroomBytes of [50e6, 100e6, 333e6, 5 * GB]) {
      const itemBytes = 8 * 5e6;
      const { workers, batchSize } = optimise({ count: 1e6, meanBytes: '5MB' }, { headroomBytes, cores });
      if (workers + batchSize > 2)
        expect((workers + batchSize) * itemBytes).toBeLessThanOrEqual(headroomBytes);
    }
  });

  it('need figures that make sense', () => {
    const means = { headroomBytes: GB, cores: 2 };
    const wrong = expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' });
    for (const work of [
      { count: -1, meanBytes: 1 },
      { count: 1.5, meanBytes: 1 },
      { count: 1, meanBytes: 'big' },
      { count: 1, meanBytes: 1, decodeFactor: 0 },
    ])
      expect(() => optimise(work, means)).toThrow(wrong);
  });
});
