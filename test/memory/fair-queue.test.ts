import { describe, expect, it } from 'vitest';
import { FairQueue, PATIENCE_MS, type Waiting } from '../../src/memory/fair-queue.js';

const waiter = (stage: string, since: number, bytes = 1): Waiting => ({ stage, bytes, since });
const stages = (queue: FairQueue<Waiting>, now = 0) => queue.candidates(now).map(({ stage }) => stage);

describe('who waits for memory', () => {
  it('is served in order of asking within a stage', () => {
    const queue = new FairQueue<Waiting>();
    const [first, second] = [waiter('decode', 0), waiter('decode', 1)];
    queue.push(first);
    queue.push(second);
    expect(queue.candidates(2)).toEqual([first]);
    queue.remove(first);
    expect(queue.candidates(2)).toEqual([second]);
    expect(queue.length).toBe(1);
  });

  it('is passed by stages that hold less for their weight', () => {
    const queue = new FairQueue<Waiting>();
    queue.hold('read', 100);
    queue.hold('decode', 300); // weighs 4: 75 for each
    for (const stage of ['read', 'decode']) queue.push(waiter(stage, 0));
    expect(stages(queue)).toEqual(['decode', 'read']);
    queue.hold('decode', 200);
    expect(stages(queue)).toEqual(['read', 'decode']);
  });

  it('is never passed while its stage holds nothing', () => {
    const queue = new FairQueue<Waiting>();
    queue.hold('read', 1);
    for (const stage of ['read', 'decode']) queue.push(waiter(stage, 0));
    expect(stages(queue)).toEqual(['decode']);
  });

  it('goes first, alone, after long waiting', () => {
    const queue = new FairQueue<Waiting>();
    queue.hold('decode', 1e9);
    queue.push(waiter('decode', 0));
    queue.push(waiter('read', PATIENCE_MS));
    expect(stages(queue, PATIENCE_MS)).toEqual(['read']);
    expect(stages(queue, PATIENCE_MS + 1)).toEqual(['decode']);
  });

  it('starves nobody: every stage and size gets its turn while bytes come and go', () => {
    const queue = new FairQueue<Waiting>();
    const served = new Map<string, number>();
    const held: Waiting[] = [];
    let free = 100;
    for (let now = 0; now < 20_000; now += 10) {
      for (const [stage, bytes] of [
        ['read', 5],
        ['read', 5],
        ['decode', 90],
        ['batch', 10],
      ] as const)
        if (queue.length < 40) queue.push(waiter(stage, now, bytes));
      const next = queue.candidates(now).find(({ bytes }) => bytes <= free);
      if (next) {
        queue.remove(next);
        queue.hold(next.stage, next.bytes);
        free -= next.bytes;
        held.push(next);
        served.set(next.stage, (served.get(next.stage) ?? 0) + 1);
      }
      const done = now % 30 === 0 ? held.shift() : undefined;
      if (done) {
        queue.hold(done.stage, -done.bytes);
        free += done.bytes;
      }
    }
    for (const stage of ['read', 'decode', 'batch']) expect(served.get(stage)).toBeGreaterThan(10);
  });

  it('is nobody once drained', () => {
    const queue = new FairQueue<Waiting>();
    queue.push(waiter('read', 0));
    queue.push(waiter('decode', 0));
    expect(queue.drain()).toHaveLength(2);
    expect(queue.length).toBe(0);
    expect(queue.candidates(0)).toEqual([]);
  });
});
