import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { getPressureMonitor, type LevelChange } from '../../src/memory/pressure-monitor.js';
import { native } from '../../src/native/load.js';

const MB = 1e6;
const monitor = getPressureMonitor();
let root: string;

/** What the group uses, of its 1000 MB. */
function use(bytes: number): void {
  writeFileSync(path.join(root, 'cgroup/app/memory.current'), `${bytes}\n`);
}

beforeEach(() => {
  root = mkdtempSync(path.join(os.tmpdir(), 'spillway-monitor-'));
  for (const folder of ['proc/self', 'cgroup/app']) mkdirSync(path.join(root, folder), { recursive: true });
  writeFileSync(path.join(root, 'proc/self/cgroup'), '0::/app\n');
  writeFileSync(path.join(root, 'proc/self/statm'), '5000 2500 1000 1 0 1000 0\n');
  writeFileSync(path.join(root, 'cgroup/app/memory.max'), `${1000 * MB}\n`);
  writeFileSync(path.join(root, 'cgroup/app/memory.stat'), 'anon 1\ninactive_file 0\n');
  use(300 * MB);
  native().governor.configure({
    residentBytes: Number.POSITIVE_INFINITY,
    limitShare: 1,
    proc: path.join(root, 'proc'),
    cgroup: path.join(root, 'cgroup'),
  });
});

afterEach(() => {
  monitor.stop();
  monitor.removeAllListeners();
  native().governor.configure(undefined);
  rmSync(root, { recursive: true });
});

const settled = (condition: () => boolean) =>
  expect.poll(condition, { timeout: 5000, interval: 10 }).toBe(true);

describe('pressure monitor', () => {
  it('is one for the process', () => expect(getPressureMonitor()).toBe(monitor));

  it('answers while stopped: level, what is available, what to evict', () => {
    expect(monitor.level).toBe('NORMAL');
    expect(monitor.isUnderPressure()).toBe(false);
    expect(monitor.availableBytes()).toBe(700 * MB);
    expect(monitor.evictionTarget()).toBe(0);
    use(900 * MB);
    expect(monitor.level).toBe('HIGH');
    expect(monitor.isUnderPressure()).toBe(true);
    expect(monitor.availableBytes()).toBe(100 * MB);
    expect(monitor.evictionTarget()).toBeCloseTo(110 * MB, -4);
  });

  it('tells of every change of the level, with a reason, once started', async () => {
    const changes: LevelChange[] = [];
    monitor.on('level', (change) => changes.push(change));
    monitor.start();
    monitor.start();
    use(970 * MB);
    await settled(() => changes.length > 0);
    expect(changes.at(-1)).toMatchObject({ level: 'CRITICAL', previous: 'NORMAL' });
    expect(changes[0]?.reason).toMatch(/MB/);
    use(100 * MB);
    await settled(() => changes.at(-1)?.level === 'NORMAL');
    monitor.stop();
    const heard = changes.length;
    use(970 * MB);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(changes).toHaveLength(heard);
  });

  it('keeps a history, an average of a window and a trend', async () => {
    monitor.start();
    const begin = monitor.history().at.length;
    for (let step = 0; step < 12; step++) {
      use((300 + step * 25) * MB);
      await new Promise((resolve) => setTimeout(resolve, 120));
    }
    const { at, usedShare } = monitor.history();
    expect(at.length).toBeGreaterThan(begin);
    expect(at.length).toBe(usedShare.length);
    expect([...at]).toEqual([...at].sort((a, b) => a - b));
    expect(monitor.averagePressure('1s')).toBeGreaterThan(0.3);
    expect(monitor.averagePressure('1s')).toBeLessThan(0.6);
    // Longer windows hold what the tests before used.
    const trend = monitor.trend('1s');
    expect(trend.direction).toBe('rising');
    expect(trend.secondsLeft).toBeGreaterThan(0);
  });

  it('sums up in figures and a sentence, and says what it reads', () => {
    const { text, sources, ...figures } = monitor.summary();
    expect(text).toMatch(/^NORMAL: 300 MB of 1\.0 GB used/);
    expect(sources.join()).toMatch(/cgroup/);
    expect(figures).toMatchObject({ level: 'NORMAL', running: false, usedBytes: 300 * MB });
  });

  it('refuses a window that is none', () => {
    expect(() => monitor.averagePressure('soon')).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' }),
    );
  });
});
