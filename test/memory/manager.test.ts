import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { MemoryManager } from '../../src/memory/manager.js';
import { native } from '../../src/native/load.js';

const exceeded = expect.objectContaining({ code: 'ERR_BUDGET_EXCEEDED' });
const MB = 1e6;
const open: MemoryManager[] = [];

/** A manager with this much room above what the process already uses. */
function managerWithRoom(bytes: number): MemoryManager {
  const memory = new MemoryManager({ budget: process.memoryUsage.rss() + bytes });
  open.push(memory);
  return memory;
}

afterEach(() => {
  for (const memory of open.splice(0).reverse()) memory[Symbol.dispose]();
});

describe('memory manager', () => {
  it('takes from the budget and gives back exactly once', async () => {
    const memory = managerWithRoom(400 * MB);
    const held = await memory.reserve('decode', '24MB');
    expect(memory.snapshot().accounts.decode).toMatchObject({ reserved: 24 * MB });
    held.shrinkTo(4 * MB);
    expect(memory.snapshot().accounts.decode).toMatchObject({ reserved: 4 * MB, peak: 24 * MB });
    held.release();
    held.release();
    expect(memory.snapshot().accounts.decode).toMatchObject({ reserved: 0 });
  });

  it('books what a reservation has become under its new account', async () => {
    const memory = managerWithRoom(400 * MB);
    const held = await memory.reserve('decode', '24MB');
    held.become('batch', 4 * MB);
    expect(memory.snapshot().accounts).toMatchObject({
      decode: { reserved: 0 },
      batch: { reserved: 4 * MB },
    });
    held.release();
    expect(memory.snapshot().accounts).toMatchObject({ decode: { reserved: 0 }, batch: { reserved: 0 } });
  });

  it('refuses at once what can never fit, with the figures', async () => {
    const memory = managerWithRoom(100 * MB);
    await expect(memory.reserve('decode', '1GB')).rejects.toThrow(exceeded);
    await expect(memory.reserve('decode', '1GB')).rejects.toThrow(/decode.*1\.0 GB/);
  });

  it('lets who does not fit wait, and serves in order of asking', async () => {
    const memory = managerWithRoom(400 * MB);
    const first = await memory.reserve('decode', '300MB');
    const order: string[] = [];
    const large = memory.reserve('decode', '200MB').then((held) => {
      order.push('large');
      return held;
    });
    const small = memory.reserve('decode', '1MB').then((held) => {
      order.push('small');
      return held;
    });
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(order).toEqual([]);
    expect(memory.tryReserve('decode', '1MB')).toBeUndefined();
    first.release();
    for (const held of [await large, await small]) held.release();
    expect(order).toEqual(['large', 'small']);
  });

  it('grants nobody anything while it is held back', async () => {
    const memory = managerWithRoom(400 * MB);
    const pause = memory.holdBack();
    expect(memory.tryReserve('decode', '1MB')).toBeUndefined();
    let granted = false;
    const waiting = memory.reserve('decode', '1MB').then((held) => {
      granted = true;
      return held;
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(granted).toBe(false);
    pause[Symbol.dispose]();
    (await waiting).release();
  });

  it('forgets who aborts while waiting', async () => {
    const memory = managerWithRoom(200 * MB);
    const first = await memory.reserve('decode', '150MB');
    const abort = new AbortController();
    const waiting = memory.reserve('decode', '100MB', { signal: abort.signal });
    abort.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    first.release();
    (await memory.reserve('decode', '100MB')).release();
  });

  it('sees native memory charged by others as used', async () => {
    const memory = managerWithRoom(300 * MB);
    const account = memory.account('models');
    expect(native().ledger.charge(account, 250 * MB)).toBe(true);
    await expect(memory.reserve('decode', '200MB')).rejects.toThrow(exceeded);
    native().ledger.credit(account, 250 * MB);
  });

  it('adds up: accounts and what is unmanaged make the resident memory when nothing is estimated', () => {
    const memory = managerWithRoom(300 * MB);
    const { accounted, unmanaged, rss, budget, limit } = memory.snapshot();
    expect(Math.abs(accounted + unmanaged - rss)).toBeLessThan(5 * MB);
    expect(budget).toBeLessThanOrEqual(limit);
  });

  it('counts children of ours, until they end', async () => {
    const memory = managerWithRoom(400 * MB);
    const before = memory.snapshot().unmanaged;
    const child = spawn(process.execPath, [
      '-e',
      'const held = Buffer.alloc(90e6, 1); console.log(held.length); setInterval(() => held, 1000)',
    ]);
    await once(child.stdout, 'data');
    native().governor.includeChild(child.pid as number);
    expect(memory.snapshot().unmanaged - before).toBeGreaterThan(100 * MB);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(memory.snapshot().unmanaged - before).toBeLessThan(40 * MB);
  });

  it('refuses a second, larger root budget, and allows it once the first is gone', () => {
    const first = managerWithRoom(100 * MB);
    const larger = { budget: first.budget + MB };
    expect(() => new MemoryManager(larger)).toThrow(expect.objectContaining({ code: 'ERR_BUDGET_CONFLICT' }));
    new MemoryManager({ budget: first.budget })[Symbol.dispose]();
    first[Symbol.dispose]();
    new MemoryManager(larger)[Symbol.dispose]();
  });

  it('tells workers and batch size for a job, with the reason, and what to change', () => {
    const memory = managerWithRoom(400 * MB);
    const { workers, batchSize, reason } = memory.optimise({ count: 100, meanBytes: '5MB' });
    expect(workers).toBeGreaterThanOrEqual(1);
    expect(batchSize).toBeGreaterThanOrEqual(1);
    expect(reason).toMatch(/MB/);
    expect(memory.optimise({ count: 100, meanBytes: '5GB' })).toMatchObject({ workers: 1, batchSize: 1 });
    expect(Array.isArray(memory.recommendations())).toBe(true);
  });

  it('refuses who waits when it is disposed', async () => {
    const memory = managerWithRoom(200 * MB);
    const held = await memory.reserve('decode', '150MB');
    const waiting = memory.reserve('decode', '100MB');
    memory[Symbol.dispose]();
    await expect(waiting).rejects.toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }));
    held.release();
  });
});
