// Levels, what the ledger grants, and storage that yields: over fixture folders, on both paths.
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { ByteTable, PressureEvent } from '../../src/contract/index.js';
import { native } from '../../src/native/load.js';
import { overNative } from '../support/paths.js';
import { MB, PressureFixture } from './pressure-fixture.js';

const { governor, ledger } = native();
const opened: ByteTable[] = [];

/** Every event from now on. */
function listen(): PressureEvent[] {
  const events: PressureEvent[] = [];
  governor.start((event) => events.push(event));
  return events;
}

const levelsOf = (events: readonly PressureEvent[]) =>
  events.filter(({ kind }) => kind === 'level').map(({ previous, level }) => `${previous}→${level}`);

/** A cache with `bytes` in it, or as many as are granted. */
function fill(bytes: number): ByteTable {
  const cache = native().openCache({ name: '', maxBytes: 200 * MB, ttlMs: 0, manualClock: false });
  opened.push(cache);
  const value = new Uint8Array(60_000);
  for (let i = 0; i * value.length < bytes; i++) cache.set(`entry ${i}`, value, -1);
  return cache;
}

afterEach(() => {
  governor.stop();
  governor.configure(undefined);
  for (const cache of opened.splice(0)) cache.clear();
});

describe('a look', () => {
  it('sees at once what decides', () => {
    using fixture = PressureFixture.group(100 * MB, 10 * MB);
    governor.configure(fixture.plan());
    fixture.use(90 * MB);
    expect(governor.look()).toMatchObject({ level: 2, headroomBytes: 10 * MB });
    fixture.write('cgroup/memory/job/memory.stat', `total_inactive_file ${50 * MB}\n`);
    expect(governor.look()).toMatchObject({ level: 0, headroomBytes: 60 * MB });
    fixture.limit(50 * MB);
    expect(governor.look()).toMatchObject({ level: 1, budgetBytes: 50 * MB, headroomBytes: 10 * MB });
  });

  // In JavaScript a look is a measurement.
  it.runIf(overNative)('leaves to a measurement what seldom changes', () => {
    using fixture = PressureFixture.group(50 * MB, 10 * MB);
    governor.configure(fixture.plan());
    fixture.write('cgroup/memory/other/memory.limit_in_bytes', 80 * MB);
    fixture.write('cgroup/memory/other/memory.usage_in_bytes', 8 * MB);
    fixture.write('cgroup/memory/other/memory.stat', 'total_inactive_file 0\n');
    fixture.write('proc/self/cgroup', '9:memory:/other\n');
    expect(governor.look().budgetBytes).toBe(50 * MB);
    expect(governor.measure().budgetBytes).toBe(80 * MB);
    expect(governor.look().budgetBytes).toBe(80 * MB);
  });
});

describe('level', () => {
  it('rises at 70, 85 and 95 % and is left six points lower, with a reason', async () => {
    using fixture = PressureFixture.group(100 * MB, 10 * MB);
    governor.configure(fixture.plan());
    const events = listen();
    const series = [10, 69, 70, 84, 85, 80, 94, 95, 90, 89, 88, 80, 79, 78, 70, 65, 64, 63, 99, 10];
    const levels = series.map((percent) => {
      fixture.use(percent * MB);
      return governor.measure().level;
    });
    expect(levels).toEqual([0, 0, 1, 1, 2, 2, 2, 3, 3, 3, 2, 2, 2, 1, 1, 1, 1, 0, 3, 0]);
    await vi.waitFor(() => expect(levelsOf(events)).toHaveLength(8));
    expect(levelsOf(events)).toEqual(['0→1', '1→2', '2→3', '3→2', '2→1', '1→0', '0→3', '3→0']);
    expect(events.find(({ kind }) => kind === 'level')?.reason).toMatch(
      /^70\.0 % of the budget of 100 MB is used or out of reach: the working set under .*job is 70 MB of 100 MB$/,
    );
  });

  it('does not flap on a saw-tooth of 3 % around a threshold', async () => {
    using fixture = PressureFixture.group(100 * MB, 50 * MB);
    governor.configure(fixture.plan());
    const events = listen();
    for (const threshold of [70, 85, 95])
      for (let tooth = 0; tooth < 40; tooth++) {
        fixture.use((threshold + (tooth % 2 ? 3 : -3)) * MB);
        governor.measure();
      }
    await vi.waitFor(() => expect(levelsOf(events)).toEqual(['0→1', '1→2', '2→3']));
  });

  it('judges a budget of bytes by resident memory, and says so', () => {
    using fixture = PressureFixture.group(4000 * MB, 10 * MB);
    governor.configure(fixture.plan({ residentBytes: 1e12 }));
    const { residentBytes } = governor.measure();
    governor.configure(fixture.plan({ residentBytes: residentBytes * 1.02 }));
    const events = listen();
    const reading = governor.measure();
    expect(reading.level).toBe(3);
    expect(reading.headroomBytes).toBe(reading.budgetBytes - reading.residentBytes);
    return vi.waitFor(() =>
      expect(events.find(({ kind }) => kind === 'spill')?.reason).toContain('resident memory is'),
    );
  });
});

describe('limit', () => {
  it('is read again each time: lowered and raised while we run', () => {
    using fixture = PressureFixture.group(1000 * MB, 80 * MB);
    governor.configure(fixture.plan({ limitShare: 0.5 }));
    expect(governor.measure()).toMatchObject({ budgetBytes: 500 * MB, level: 0 });
    fixture.limit(200 * MB);
    expect(governor.measure()).toMatchObject({ budgetBytes: 100 * MB, level: 1 });
    expect(ledger.limit(0)).toBe(100 * MB);
    fixture.limit(1000 * MB);
    expect(governor.measure()).toMatchObject({ budgetBytes: 500 * MB, level: 0 });
  });

  it('is seen without anybody asking', async () => {
    using fixture = PressureFixture.group(1000 * MB, 80 * MB);
    governor.configure(fixture.plan());
    const events = listen();
    fixture.limit(100 * MB);
    await vi.waitFor(() => expect(levelsOf(events)).toEqual(['0→1']));
    expect(events[0]?.reading.limitBytes).toBe(100 * MB);
  });

  it('rejects a plan that bounds nothing', () => {
    using fixture = new PressureFixture();
    const wrong = expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' });
    for (const plan of [{ limitShare: 0 }, { limitShare: 1.1 }, { residentBytes: 0 }])
      expect(() => governor.configure(fixture.plan(plan))).toThrow(wrong);
  });
});

describe('ledger under a plan', () => {
  it('grants the headroom, neither more nor less, and is free again without a plan', () => {
    using fixture = PressureFixture.group(1000 * MB, 600 * MB);
    const account = ledger.account('decode', 0);
    governor.configure(fixture.plan({ limitShare: 0.8 }));
    const { headroomBytes, unmanagedBytes, baseBytes } = governor.measure();
    expect(headroomBytes).toBe(200 * MB);
    expect(unmanagedBytes).toBe(baseBytes);
    expect(ledger.reserve(account, headroomBytes + 1)).toBe(false);
    expect(ledger.reserve(account, headroomBytes)).toBe(true);
    ledger.unreserve(account, headroomBytes);
    governor.configure(undefined);
    expect(ledger.limit(0)).toBe(Number.POSITIVE_INFINITY);
    expect(ledger.held(ledger.account('unmanaged', 0))).toBe(0);
  });

  it('books growth that no account explains, and not what an estimate may cover', () => {
    using fixture = PressureFixture.group(1000 * MB, 100 * MB);
    const account = ledger.account('decode', 0);
    governor.configure(fixture.plan());
    const { unmanagedBytes: before } = governor.measure();
    fixture.use(150 * MB);
    expect(governor.measure().unmanagedBytes).toBe(before + 50 * MB);
    expect(ledger.reserve(account, 200 * MB)).toBe(true);
    fixture.use(300 * MB);
    expect(governor.measure().unmanagedBytes).toBe(before + 50 * MB);
    fixture.use(400 * MB);
    expect(governor.measure().unmanagedBytes).toBe(before + 100 * MB);
    expect(ledger.held(0)).toBe(400 * MB);
    ledger.unreserve(account, 200 * MB);
    fixture.use(50 * MB);
    // What was there from the start is never booked lower.
    expect(governor.measure()).toMatchObject({ unmanagedBytes: before, baseBytes: before });
  });

  it('books exact bytes once: what an account explains is not unmanaged', () => {
    using fixture = PressureFixture.group(1000 * MB, 100 * MB);
    const account = ledger.account('models', 0);
    governor.configure(fixture.plan());
    const { unmanagedBytes: before } = governor.measure();
    expect(ledger.charge(account, 300 * MB)).toBe(true);
    fixture.use(420 * MB);
    expect(governor.measure()).toMatchObject({ unmanagedBytes: before + 20 * MB, headroomBytes: 580 * MB });
    ledger.credit(account, 300 * MB);
  });
});

describe('storage', () => {
  it('stops at 70 % of the budget, where reservations do not', () => {
    using fixture = PressureFixture.group(100 * MB, 20 * MB);
    governor.configure(fixture.plan());
    const cache = fill(120 * MB);
    expect(governor.figures().storageCeilingBytes).toBe(70 * MB);
    expect(ledger.held(0)).toBeLessThanOrEqual(70 * MB);
    expect(cache.stats().usedBytes).toBeGreaterThan(40 * MB);
    const account = ledger.account('decode', 0);
    expect(ledger.reserve(account, 20 * MB)).toBe(true);
    ledger.unreserve(account, 20 * MB);
  });

  it('is given back on demand, and grows again only slowly', async () => {
    using fixture = PressureFixture.group(400 * MB, 20 * MB);
    governor.configure(fixture.plan());
    const cache = fill(60 * MB);
    const events = listen();
    const { usedBytes } = cache.stats();
    const freed = governor.reclaim(30 * MB);
    expect(freed).toBeGreaterThanOrEqual(30 * MB);
    expect(cache.stats().usedBytes).toBe(usedBytes - freed);
    const ceiling = governor.figures().storageCeilingBytes;
    expect(ceiling).toBeLessThan(70 * MB);
    await vi.waitFor(() =>
      expect(events.filter(({ kind }) => kind === 'freed').reduce((sum, { bytes }) => sum + bytes, 0)).toBe(
        freed,
      ),
    );
    // 1/32 of the budget a second.
    await vi.waitFor(() => expect(governor.figures().storageCeilingBytes).toBeGreaterThan(ceiling));
    expect(governor.figures().storageCeilingBytes).toBeLessThan(280 * MB);
    expect(governor.figures()).toMatchObject({ evictions: expect.any(Number) });
  });

  it('is freed under pressure down to where HIGH ends; what then lacks is asked of JavaScript', async () => {
    using fixture = PressureFixture.group(200 * MB, 20 * MB);
    governor.configure(fixture.plan());
    const large = fill(24 * MB);
    const small = fill(8 * MB);
    const [largeBytes, smallBytes] = [large.stats().usedBytes, small.stats().usedBytes];
    const events = listen();
    const freed = () => events.reduce((sum, { kind, bytes }) => sum + (kind === 'freed' ? bytes : 0), 0);
    // 12 MB above where HIGH ends, and the fixture does not fall when they are freed.
    fixture.use(170 * MB);
    await vi.waitFor(() => expect(freed()).toBeGreaterThanOrEqual(12 * MB));
    expect(large.stats().usedBytes).toBeLessThan(0.8 * largeBytes);
    expect(small.stats().usedBytes).toBeLessThan(0.8 * smallBytes);
    await vi.waitFor(() => expect(events.some(({ kind }) => kind === 'spill')).toBe(true));
    expect(events.find(({ kind }) => kind === 'spill')).toMatchObject({ level: 2, bytes: 12 * MB });
    expect(freed()).toBe(largeBytes + smallBytes);
    fixture.use(100 * MB);
    await vi.waitFor(() => expect(levelsOf(events)).toEqual(['0→2', '2→0']));
  });
});

describe('history', () => {
  it('keeps the fullest reading of each tenth of a second, in columns', async () => {
    using fixture = PressureFixture.group(100 * MB, 10 * MB);
    governor.configure(fixture.plan());
    await new Promise((resolve) => setTimeout(resolve, 150));
    const from = governor.history().at.length;
    for (const percent of [20, 60, 30]) {
      fixture.use(percent * MB);
      governor.measure();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await vi.waitFor(() => expect(governor.history().at.length).toBeGreaterThan(from + 2));
    const { at, usedShare, level, headroomBytes } = governor.history();
    expect(Math.max(...usedShare.slice(from - 1))).toBeCloseTo(0.6);
    expect([usedShare.length, level.length, headroomBytes.length]).toEqual(Array(3).fill(at.length));
    for (let i = 1; i < at.length; i++) expect(at[i]).toBeGreaterThan(at[i - 1] as number);
    expect(governor.figures().samples).toBeGreaterThan(3);
  });
});
