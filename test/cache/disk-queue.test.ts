import { describe, expect, it } from 'vitest';
import { WriteQueue } from '../../src/cache/disk-queue.js';
import type { Change } from '../../src/cache/disk-wire.js';
import { SpillwayError } from '../../src/util/errors.js';

const change = (valueBytes = 10): Change => ({
  key: new Uint8Array(44),
  priority: 0,
  expires: undefined,
  value: new Uint8Array(valueBytes),
});

/** A disk that commits when it is told to. */
function slowDisk() {
  const batches: { count: number; done: () => void; fail: (error: SpillwayError) => void }[] = [];
  const commit = (changes: readonly Change[]) =>
    new Promise<void>((done, fail) => batches.push({ count: changes.length, done, fail }));
  return { batches, commit };
}

const isSettled = async (promise: Promise<unknown>) => {
  const pending = Symbol('pending');
  return (
    (await Promise.race([promise, new Promise((resolve) => setImmediate(resolve, pending))])) !== pending
  );
};

describe('the write queue', () => {
  it('sends 256 changes at a time, and the rest when it has waited long enough', async () => {
    const disk = slowDisk();
    const queue = new WriteQueue(disk.commit, 1e9, 100);
    const sets = Array.from({ length: 600 }, () => queue.add(change()));
    expect(disk.batches.map(({ count }) => count)).toEqual([256, 256]);
    while (disk.batches.length < 3) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(disk.batches[2]?.count).toBe(88);
    for (const { done } of disk.batches) done();
    await Promise.all(sets);
    expect(queue.bytes).toBe(0);
  });

  it('sends large values before there are 256', () => {
    const disk = slowDisk();
    const queue = new WriteQueue(disk.commit, 1e9, 100);
    for (let i = 0; i < 3; i++) void queue.add(change(200_000));
    expect(disk.batches.map(({ count }) => count)).toEqual([3]);
  });

  it('without a delay sends at once, and gathers what comes while a commit is under way', async () => {
    const disk = slowDisk();
    const queue = new WriteQueue(disk.commit, 1e9, 0);
    const counts = () => disk.batches.map(({ count }) => count);
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    void queue.add(change());
    void queue.add(change());
    await turn();
    expect(counts()).toEqual([2]);
    for (let i = 0; i < 5; i++) {
      void queue.add(change());
      await turn();
    }
    expect(counts()).toEqual([2]);
    disk.batches[0]?.done();
    while (disk.batches.length < 2) await turn();
    expect(counts()).toEqual([2, 5]);
  });

  it('makes callers wait while the disk is behind, and sends a short batch rather than stand still', async () => {
    const disk = slowDisk();
    const queue = new WriteQueue(disk.commit, 5000, 100);
    let added = 0;
    while (await isSettled(queue.ready())) {
      void queue.add(change(1000));
      expect(++added).toBeLessThan(10);
    }
    const ready = queue.ready();
    expect(disk.batches).toHaveLength(1);
    expect(await isSettled(ready)).toBe(false);
    disk.batches[0]?.done();
    await ready;
    expect(queue.bytes).toBe(0);
  });

  it('rejects every set of a batch that failed, who waits for room, and flush; then goes on', async () => {
    const disk = slowDisk();
    const queue = new WriteQueue(disk.commit, 1000, 100);
    const failure = new SpillwayError('ERR_CACHE_FAILED', 'the disk is full');
    const failing = [queue.add(change(500)), queue.add(change(500))];
    const waiting = [queue.ready(), queue.flush()];
    const outcomes = Promise.allSettled([...failing, ...waiting]);
    disk.batches[0]?.fail(failure);
    for (const outcome of await outcomes) expect(outcome).toEqual({ status: 'rejected', reason: failure });
    await queue.ready();
    const next = queue.add(change());
    queue.send();
    disk.batches[1]?.done();
    await next;
  });
});
