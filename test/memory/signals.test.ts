// What is read of the system, over fixture folders and over the real ones.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { GovernorPlan, PressureEvent } from '../../src/contract/index.js';
import { native } from '../../src/native/load.js';
import { MB, PressureFixture } from './pressure-fixture.js';

const { governor } = native();
const REAL = {
  residentBytes: Number.POSITIVE_INFINITY,
  limitShare: 1,
  proc: '/proc',
  cgroup: '/sys/fs/cgroup',
};

/** The governor under `plan`, and the reasons of what was lost and came back. */
function watch(plan: GovernorPlan): string[] {
  const reasons: string[] = [];
  governor.configure(plan);
  governor.start(({ kind, reason }: PressureEvent) => {
    if (kind === 'signal') reasons.push(reason);
  });
  return reasons;
}

function measureUnder(plan: GovernorPlan) {
  governor.configure(plan);
  return governor.measure();
}

const meminfo = (totalMb: number, availableMb: number) =>
  `MemTotal:  ${totalMb * 1000} kB\nMemFree: 1 kB\nMemAvailable:  ${availableMb * 1000} kB\n`;

afterEach(() => {
  governor.stop();
  governor.configure(undefined);
});

describe('limit that binds', () => {
  it('is that of the parent where it is tighter, version 1', () => {
    using fixture = new PressureFixture({
      'proc/self/cgroup': '4:cpu,cpuacct:/x\n9:hugetlb,memory:/pod/app\n',
      'cgroup/memory/pod/app/memory.limit_in_bytes': 500 * MB,
      'cgroup/memory/pod/app/memory.usage_in_bytes': 120 * MB,
      'cgroup/memory/pod/app/memory.stat': 'cache 1\ninactive_file 7\ntotal_inactive_file 20000000\n',
      'cgroup/memory/pod/memory.limit_in_bytes': 256 * MB,
      'cgroup/memory/pod/memory.usage_in_bytes': 240 * MB,
      'cgroup/memory/pod/memory.stat': 'inactive_file 7\ntotal_inactive_file 90000000\n',
      'cgroup/memory/memory.limit_in_bytes': '9223372036854771712',
    });
    expect(measureUnder(fixture.plan({ limitShare: 0.75 }))).toMatchObject({
      source: path.join(fixture.cgroup, 'memory/pod'),
      limitBytes: 256 * MB,
      workingSetBytes: 150 * MB,
      budgetBytes: 192 * MB,
      headroomBytes: 42 * MB,
      usedShare: 150 / 192,
      level: 1,
    });
  });

  it.each([
    [
      'version 1',
      '9:memory:/app\n',
      'memory/app/memory.limit_in_bytes',
      'memory/app/memory.usage_in_bytes',
      'memory/app',
    ],
    ['version 2', '0::/app\n', 'app/memory.max', 'app/memory.current', 'app'],
  ])('leaves page cache out that the kernel can drop, but not what is mapped or dirty, %s', (...names) => {
    const [version, membership, limit, usage, group] = names;
    const words =
      version === 'version 1'
        ? ['total_inactive_file', 'total_active_file', 'total_mapped_file', 'total_dirty', 'total_writeback']
        : ['inactive_file', 'active_file', 'file_mapped', 'file_dirty', 'file_writeback'];
    const stat = [20, 70, 10, 5, 5].map((megabytes, i) => `${words[i]} ${megabytes * MB}\n`).join('');
    using fixture = new PressureFixture({
      'proc/self/cgroup': membership,
      [`cgroup/${limit}`]: 256 * MB,
      [`cgroup/${usage}`]: 200 * MB,
      [`cgroup/${group}/memory.stat`]: stat,
    });
    expect(measureUnder(fixture.plan())).toMatchObject({ workingSetBytes: (200 - 20 - 50) * MB });
  });

  it('is the one with least left, not the smallest, version 2', () => {
    using fixture = new PressureFixture({
      'proc/self/cgroup': '0::/pod/app\n',
      'cgroup/pod/app/memory.max': 200 * MB,
      'cgroup/pod/app/memory.current': 50 * MB,
      'cgroup/pod/app/memory.stat': 'anon 5\ninactive_file 0\n',
      'cgroup/pod/memory.max': 500 * MB,
      'cgroup/pod/memory.current': 470 * MB,
      'cgroup/pod/memory.stat': 'anon 5\ninactive_file 0\n',
    });
    expect(measureUnder(fixture.plan())).toMatchObject({
      source: path.join(fixture.cgroup, 'pod'),
      limitBytes: 500 * MB,
      workingSetBytes: 470 * MB,
      // What can be held at most stays that of the tightest limit, and 30 MB of it can be reached.
      budgetBytes: 200 * MB,
      headroomBytes: 30 * MB,
      usedShare: 170 / 200,
      level: 2,
    });
  });

  it('counts memory.high, which stalls for good, as a limit', () => {
    using fixture = new PressureFixture({
      'proc/self/cgroup': '0::/app\n',
      'cgroup/app/memory.max': 'max',
      'cgroup/app/memory.high': 100 * MB,
      'cgroup/app/memory.current': 60 * MB,
      'cgroup/app/memory.stat': 'inactive_file 0\n',
    });
    expect(measureUnder(fixture.plan())).toMatchObject({ limitBytes: 100 * MB, headroomBytes: 40 * MB });
  });

  it('is told by version 1 where the groups above are not mounted', () => {
    using fixture = new PressureFixture({
      'proc/self/cgroup': '9:memory:/outside/path\n',
      'cgroup/memory/memory.limit_in_bytes': '9223372036854771712',
      'cgroup/memory/memory.usage_in_bytes': 100 * MB,
      'cgroup/memory/memory.stat': 'hierarchical_memory_limit 128000000\ntotal_inactive_file 40000000\n',
    });
    expect(measureUnder(fixture.plan())).toMatchObject({ limitBytes: 128 * MB, headroomBytes: 68 * MB });
  });

  it('is the machine where no group has one', () => {
    using fixture = new PressureFixture({
      'proc/self/cgroup': '0::/\n',
      'proc/meminfo': meminfo(8192, 2048),
    });
    const reading = measureUnder(fixture.plan({ limitShare: 0.5 }));
    expect(reading).toMatchObject({ source: 'machine', limitBytes: 8192 * 1024_000, level: 3 });
    expect(reading.headroomBytes).toBe((4096 - 6144) * 1024_000);
  });

  it('is this process against the machine where nothing can be read', () => {
    using fixture = new PressureFixture();
    const reading = measureUnder(fixture.plan({ residentBytes: 4e12 }));
    expect(reading).toMatchObject({ source: 'process', limitBytes: os.totalmem() });
    expect(reading.workingSetBytes).toBe(reading.residentBytes);
    expect(reading.residentBytes).toBeGreaterThan(20 * MB);
    expect(governor.sources().join()).toMatch(/no memory cgroup.*meminfo.*statm.*psi/);
  });
});

describe('signals', () => {
  it('goes to the next source when a group vanishes, says so, and comes back', async () => {
    using fixture = PressureFixture.group(100 * MB, 60 * MB);
    fixture.write('proc/meminfo', meminfo(4000, 3000));
    const reasons = watch(fixture.plan());
    expect(governor.measure()).toMatchObject({ limitBytes: 100 * MB });
    fixture.remove('cgroup/memory/job');
    await vi.waitFor(() => expect(governor.measure().source).toBe('machine'), { timeout: 10_000 });
    await vi.waitFor(() => expect(reasons.join()).toMatch(/memory cgroup/));
    fixture.limit(100 * MB);
    fixture.use(50 * MB);
    await vi.waitFor(() => expect(governor.measure().limitBytes).toBe(100 * MB), { timeout: 10_000 });
    await vi.waitFor(() => expect(reasons.at(-1)).toMatch(/(changed|again): cgroup v1 .*job/));
  });

  it('follows the process into another group', async () => {
    using fixture = PressureFixture.group(100 * MB, 60 * MB);
    fixture.write('cgroup/memory/new/memory.limit_in_bytes', 70 * MB);
    fixture.write('cgroup/memory/new/memory.usage_in_bytes', 10 * MB);
    watch(fixture.plan());
    fixture.write('proc/self/cgroup', '9:memory:/new\n');
    await vi.waitFor(() => expect(governor.measure().limitBytes).toBe(70 * MB), { timeout: 10_000 });
  });

  it('reads stalls of the group, else of the system, else none', () => {
    const some = (total: number) => `some avg10=0.00 avg60=0.00 avg300=0.00 total=${total}\nfull total=1\n`;
    using fixture = new PressureFixture({ 'proc/self/cgroup': '0::/app\n', 'cgroup/app/memory.max': 'max' });
    expect(measureUnder(fixture.plan()).stalledUs).toBeNaN();
    expect(governor.sources().find((source) => source.startsWith('psi'))).toMatch(/ENOENT|cannot be read/);
    governor.configure(undefined);
    fixture.write('proc/pressure/memory', some(77));
    expect(measureUnder(fixture.plan()).stalledUs).toBe(77);
    governor.configure(undefined);
    fixture.write('cgroup/app/memory.pressure', some(42));
    expect(measureUnder(fixture.plan()).stalledUs).toBe(42);
  });

  it('reports a signal that is lost in the middle, and goes on', async () => {
    using fixture = new PressureFixture({
      'proc/self/cgroup': '0::/\n',
      'proc/meminfo': meminfo(8192, 4096),
    });
    const reasons = watch(fixture.plan());
    fixture.write('proc/meminfo', 'nothing here any more'.padEnd(200));
    expect(governor.measure().source).toBe('process');
    await vi.waitFor(() => expect(reasons.join()).toMatch(/lost: meminfo/));
    fixture.write('proc/meminfo', meminfo(8192, 4096).padEnd(200));
    expect(governor.measure().source).toBe('machine');
    await vi.waitFor(() => expect(reasons.join()).toMatch(/came back: meminfo/));
  });

  it('counts a child until it ends', async () => {
    governor.configure({ ...REAL, residentBytes: 1e12 });
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000); console.log("up")']);
    await once(child.stdout, 'data');
    expect(governor.measure().childrenBytes).toBe(0);
    governor.includeChild(child.pid as number);
    const { residentBytes, childrenBytes, headroomBytes } = governor.measure();
    expect(childrenBytes).toBeGreaterThan(20 * MB);
    expect(headroomBytes).toBeLessThanOrEqual(1e12 - residentBytes - childrenBytes);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(governor.measure().childrenBytes).toBe(0);
    expect(() => governor.includeChild(0)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' }));
  });

  it('sees this process grow as the kernel does', () => {
    governor.configure(REAL);
    const kernels = () =>
      Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]) * 1024;
    const before = governor.measure().residentBytes;
    const grown = Buffer.alloc(150 * MB, 1);
    const { residentBytes } = governor.measure();
    expect(Math.abs(residentBytes / kernels() - 1)).toBeLessThan(0.02);
    expect(residentBytes - before).toBeGreaterThan(0.9 * grown.length);
  });
});
