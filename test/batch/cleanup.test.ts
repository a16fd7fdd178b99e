import { describe, expect, it } from 'vitest';
import type { BatchRunner } from '../../src/batch/batch-runner.js';
import { Batcher } from '../../src/batch/batcher.js';
import { Cleanup, type CleanupMeans, type CleanupPolicy } from '../../src/batch/cleanup.js';
import { batchEvents, type CleanupReport } from '../../src/batch/events.js';
import type { Tensor } from '../../src/contract/index.js';
import { native } from '../../src/native/load.js';

/** Means that count how often they were used. */
function means(given: Partial<CleanupMeans> = {}) {
  const counted = {
    freed: 0,
    underPressure: () => false,
    free: async () => {
      counted.freed++;
      return 0;
    },
    ...given,
  };
  return counted;
}

async function cleanupsOver(batches: number, policy: CleanupPolicy, pressed: boolean): Promise<number> {
  const counted = means({ underPressure: () => pressed });
  const cleanup = new Cleanup(policy, counted);
  for (let i = 0; i < batches; i++) await cleanup.afterBatch();
  return counted.freed;
}

const item = (): { x: Tensor } => ({ x: { type: 'float32', dims: [1, 1], data: Float32Array.of(1) } });
const echo: BatchRunner = { run: async ({ x }) => ({ y: x as Tensor }) };
const broken: BatchRunner = { run: () => Promise.reject(new Error('broken')) };

describe('cleanup', () => {
  it.each<[CleanupPolicy, boolean, number]>([
    ['never', true, 0],
    ['always', false, 6],
    [{ every: 3 }, false, 2],
    ['pressure', false, 0],
    ['pressure', true, 1], // and not again within a second
  ])('%o under pressure %s, over six batches: %d', async (policy, pressed, times) => {
    expect(await cleanupsOver(6, policy, pressed)).toBe(times);
  });

  it('says what came back, by account', async () => {
    const { ledger } = native();
    const account = ledger.account('cleanup-test', 0);
    ledger.overdraw(account, 5000);
    const free = async () => {
      ledger.credit(account, 3000);
      return 700;
    };
    const report = await new Cleanup('never', means({ free })).clean('asked');
    ledger.credit(account, 2000);
    expect(report.reason).toBe('asked');
    expect(report.accounts).toMatchObject({ 'cleanup-test': 3000 });
    expect(report.bytes).toBeGreaterThanOrEqual(700);
  });

  it('does not fail a batch where it fails itself, and says so', async () => {
    const cleanup = new Cleanup('always', means({ free: () => Promise.reject(new Error('no driver')) }));
    await cleanup.afterBatch();
    expect(cleanup.figures()).toMatchObject({ cleanups: 0, cleanupFailure: 'no driver' });
    await expect(cleanup.clean('asked')).rejects.toThrow('no driver');
  });

  it('comes after each batch, also one that failed, with an event for each', async () => {
    const reports: CleanupReport[] = [];
    const listener = (report: unknown) => reports.push(report as CleanupReport);
    batchEvents.cleanup.subscribe(listener);
    const good = new Batcher(echo, { cleanup: 'always' });
    await good.submit(item());
    const bad = new Batcher(broken, { cleanup: 'always' });
    await expect(bad.submit(item())).rejects.toThrow('broken');
    await expect.poll(() => reports.length).toBe(2);
    batchEvents.cleanup.unsubscribe(listener);
    expect(reports.map(({ reason }) => reason)).toEqual(['always', 'always']);
    expect(bad.stats()).toMatchObject({ cleanups: 1, freedBytes: reports[1]?.bytes });
  });

  it('can be asked for', async () => {
    const batcher = new Batcher(echo, { cleanup: 'never' });
    await batcher.submit(item());
    expect(await batcher.clean()).toMatchObject({ reason: 'asked', accounts: expect.any(Object) });
    expect(batcher.stats().cleanups).toBe(1);
  });

  it('gives back the memory of dead buffers', async () => {
    const batcher = new Batcher(echo, { cleanup: 'never' });
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 4; i++) new Uint8Array(8e6).fill(1);
    await batcher.clean();
    // Threads of the engine free what was collected, a little later.
    await expect.poll(() => process.memoryUsage().arrayBuffers).toBeLessThan(before + 16e6);
  });

  it('refuses a policy that is none', () => {
    for (const cleanup of ['sometimes', { every: 0 }])
      expect(() => new Batcher(echo, { cleanup: cleanup as CleanupPolicy })).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' }),
      );
  });
});

describe('the event of a batch', () => {
  it('says how many items it had and how long it took', async () => {
    const events: unknown[] = [];
    const listener = (event: unknown) => events.push(event);
    batchEvents.run.subscribe(listener);
    const batcher = new Batcher(echo);
    await Promise.all([batcher.submit(item()), batcher.submit(item())]);
    batchEvents.run.unsubscribe(listener);
    expect(events).toEqual([{ items: 2, cost: 2, ms: expect.any(Number) }]);
  });
});
