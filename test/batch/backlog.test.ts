import { describe, expect, it } from 'vitest';
import { Backlog, type Waiting } from '../../src/batch/backlog.js';
import { dueAt } from '../../src/util/due.js';

let serial = 0;
const job = (due: number, lane = 'a'): Waiting => ({ lane, due, serial: serial++ });

describe('backlog', () => {
  it('keeps each lane in order of due time, equals in order of submission', () => {
    const backlog = new Backlog();
    const jobs = [5, 1, 3, 3, 9, 0].map((due) => job(due));
    for (const each of jobs) backlog.add(each);
    expect(backlog.lanes()[0]).toEqual([5, 1, 2, 3, 0, 4].map((i) => jobs[i]));
    expect(backlog.length).toBe(6);
  });

  it('puts the lane of the most urgent item first, and forgets empty lanes', () => {
    const backlog = new Backlog();
    const [a, b] = [job(2, 'a'), job(1, 'b')];
    backlog.add(a);
    backlog.add(b);
    expect(backlog.lanes()).toEqual([[b], [a]]);
    backlog.take([b], 1);
    expect(backlog.lanes()).toEqual([[a]]);
    expect(backlog.length).toBe(1);
  });

  it('removes what waits, wherever it stands, and says so', () => {
    const backlog = new Backlog();
    const jobs = Array.from({ length: 50 }, (_, i) => job(i % 7));
    for (const each of jobs) backlog.add(each);
    for (const each of [...jobs].reverse()) {
      expect(backlog.remove(each)).toBe(true);
      expect(backlog.remove(each)).toBe(false);
    }
    expect(backlog.length).toBe(0);
  });

  it('takes jobs out of the middle of the window asked for', () => {
    const backlog = new Backlog();
    const jobs = [0, 1, 2, 3, 4].map((due) => job(due));
    for (const each of jobs) backlog.add(each);
    backlog.take([jobs[0], jobs[2]] as Waiting[], 4);
    expect(backlog.lanes()[0]).toEqual([jobs[1], jobs[3], jobs[4]]);
    expect(backlog.drain()).toHaveLength(3);
    expect(backlog.length).toBe(0);
  });

  it('lets nobody starve: an urgent item passes only those that waited less than a second for each step', () => {
    const waiting = dueAt(0, 0);
    expect(dueAt(2999, 3)).toBeLessThan(waiting);
    expect(dueAt(3001, 3)).toBeGreaterThan(waiting);
  });
});
