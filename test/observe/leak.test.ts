import { describe, expect, it, vi } from 'vitest';
import { type TraceKind, traceOf } from '../../bench/harness/leak-traces.mjs';
import { uniform } from '../../scripts/make-model/test-graphs.mjs';
import { LeakDetector } from '../../src/observe/leak.js';
import { LeakProbe, type LeakWatch } from '../../src/pipeline/leak-watch.js';

const MB = 1e6;

/** The verdict on bytes held after each of `items` items. */
function verdictOf(items: number, bytes: (item: number) => number) {
  const detector = new LeakDetector();
  for (let item = 0; item < items; item++) detector.observe(item, { heap: bytes(item) });
  const [verdict] = detector.verdicts();
  if (!verdict) throw new Error('expected a verdict');
  return verdict;
}

/** Garbage of up to 20 MB, collected every 23 items. */
const garbage = (item: number) => ((item % 23) / 23) * 20 * MB;

describe('the leak detector', () => {
  it('tells how much an item leaves behind, beneath garbage many times as much', () => {
    const verdict = verdictOf(5000, (item) => 100 * MB + 1000 * item + garbage(item));
    expect(verdict).toMatchObject({ account: 'heap', leaking: true });
    expect(verdict.bytesPerItem).toBeCloseTo(1000, -1);
    expect(verdict.low).toBeLessThanOrEqual(1000);
    expect(verdict.high).toBeGreaterThanOrEqual(1000);
    expect(verdict.items).toBeGreaterThan(3000);
    expect(verdict.reason).toMatch(/^heap grows by 1\.0 kB an item .*never gives it back$/);
  });

  it.each<[string, (item: number) => number, RegExp]>([
    ['holds the same', () => 100 * MB, /does not grow/],
    ['only makes garbage', (item) => 100 * MB + garbage(item), /does not grow/],
    ['shrinks', (item) => 200 * MB - 1000 * item, /does not grow/],
    [
      'warms up, then stays',
      (item) => 100 * MB + Math.min(item, 2000) * 10_000,
      /does not grow|not all the way/,
    ],
    ['warms up ever more slowly', (item) => 100 * MB * (2 - Math.exp(-item / 1500)), /not all the way/],
    ['takes a step', (item) => (item < 3000 ? 100 * MB : 140 * MB), /not all the way/],
    [
      'takes a step in each half',
      (item) => (item < 2000 ? 100 : item < 4200 ? 140 : 180) * MB,
      /not all the way/,
    ],
    ['grows by less than matters', (item) => 100 * MB + 100 * item, /too little to matter/],
    ['grows by next to nothing', (item) => 8 * item, /too little to matter/],
    ['gives back in the end', (item) => (100 + (item < 4900 ? item / 100 : 0)) * MB, /gave back/],
    ['collects twice in all', (item) => (100 + (item % 2500) / 100) * MB, /not all the way/],
  ])('leaves alone what %s', (_, bytes, reason) => {
    const verdict = verdictOf(5000, bytes);
    expect(verdict).toMatchObject({ leaking: false, reason: expect.stringMatching(reason) });
  });

  it('does not judge by a handful of items', () => {
    expect(verdictOf(25, (item) => (1 + item) * MB)).toMatchObject({
      leaking: false,
      reason: expect.stringMatching(/too few times/),
    });
    expect(verdictOf(40, (item) => (1 + item) * MB)).toMatchObject({ leaking: true });
  });

  it('goes by items, not by how often or when it is asked', () => {
    const detector = new LeakDetector();
    // Ten thousand looks at a job that stands still, and few at one that goes on.
    for (let look = 0; look < 10_000; look++) detector.observe(10, { buffers: 50 * MB + look * 1000 });
    for (let item = 10; item < 2000; item += 10) detector.observe(item, { buffers: 50 * MB });
    expect(detector.verdicts()).toMatchObject([{ account: 'buffers', leaking: false }]);
  });

  it('judges every account by itself, leaks first', () => {
    const detector = new LeakDetector();
    for (let item = 0; item < 3000; item++)
      detector.observe(item, {
        decode: 20 * MB,
        batch: 10 * MB + 5000 * item,
        // Seen only from the middle on.
        ...(item >= 1500 && { late: 10 * MB + 9000 * item }),
      });
    expect(detector.verdicts().map(({ account, leaking }) => [account, leaking])).toEqual([
      ['late', true],
      ['batch', true],
      ['decode', false],
    ]);
  });

  it('refuses items that go back', () => {
    const detector = new LeakDetector();
    detector.observe(10, {});
    const wrong = expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' });
    expect(() => detector.observe(9, {})).toThrow(wrong);
    expect(() => detector.observe(Number.NaN, {})).toThrow(wrong);
    expect(detector.verdicts()).toEqual([]);
  });

  // bench/cases/leak.mjs does the same with thousands; these are the same 60 every time.
  it.each<[TraceKind, number]>([
    ['none', 0],
    ['warm-up', 0],
    ['step', 0],
    ['uncollected', 0],
    ['growth', 60],
  ])('is right about made-up programs: %s', (kind, leaks) => {
    const random = uniform(2026);
    let found = 0;
    for (let i = 0; i < 60; i++) {
      const trace = traceOf(kind, random);
      if (verdictOf(trace.length, (item) => trace[item] as number).leaking) found++;
    }
    expect(Math.abs(found - leaks)).toBeLessThanOrEqual(1);
  });
});

describe('the probe of a run', () => {
  const account = (bytes: number, reserved = 0) => ({ bytes, reserved, peak: bytes + reserved });

  /** Remembers what it was told. */
  class Notes implements LeakWatch {
    readonly seen: Record<string, number> = {};
    observe(_: number, bytesOf: Readonly<Record<string, number>>): void {
      Object.assign(this.seen, bytesOf);
    }
    verdicts = () => [];
  }

  it('looks at accounts, the heap and the process, and leaves caches out of all', async () => {
    const notes = new Notes();
    const figures = {
      rss: 900 * MB,
      accounts: {
        decode: account(5 * MB, 20 * MB),
        models: account(45 * MB),
        'cache:thumbnails': account(40 * MB),
        cache: account(10 * MB),
        'adaptive-cache': account(10 * MB),
      },
    };
    using probe = new LeakProbe(notes, { snapshot: () => figures, firstCollectionMs: 0 });
    probe.look(1);
    expect(Object.keys(notes.seen)).toEqual(['decode', 'models', 'heap']);
    expect(notes.seen).toMatchObject({ decode: 25 * MB, models: 45 * MB });
    expect(notes.seen.heap).toBeGreaterThan(5 * MB);
    await vi.waitFor(() => expect(notes.seen.process).toBeLessThanOrEqual(840 * MB));
    expect(notes.seen.process).toBeGreaterThan(500 * MB);
  });

  it('takes little time for collections unless told otherwise', () => {
    let heaps = 0;
    const watch: LeakWatch = {
      observe: (_, bytesOf) => {
        if ('heap' in bytesOf) heaps++;
      },
      verdicts: () => [],
    };
    const looks = (collectingShare?: number) => {
      heaps = 0;
      using probe = new LeakProbe(watch, {
        snapshot: () => ({ rss: 0, accounts: {} }),
        firstCollectionMs: 0,
        ...(collectingShare && { collectingShare }),
      });
      for (let item = 0; item < 20; item++) probe.look(item);
      return heaps;
    };
    expect(looks()).toBe(1);
    expect(looks(1e9)).toBe(20);
  });

  it.each([
    ['keeps', true],
    ['drops', false],
  ])('is not taken in by garbage: of what each item %s', (_, keeps) => {
    const detector = new LeakDetector();
    const snapshot = () => ({ rss: 0, accounts: {} });
    using probe = new LeakProbe(detector, { snapshot, collectingShare: 1e9, firstCollectionMs: 0 });
    const held: unknown[] = [];
    for (let item = 0; item < 60; item++) {
      const made = Array.from({ length: 50_000 }, () => item);
      if (keeps) held.push(made);
      probe.look(item);
    }
    expect(held).toHaveLength(keeps ? 60 : 0);
    expect(detector.verdicts()).toMatchObject([{ account: 'heap', leaking: keeps }]);
  });
});
