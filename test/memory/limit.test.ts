import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { findMemoryLimit } from '../../src/memory/limit.js';

const root = mkdtempSync(path.join(os.tmpdir(), 'spillway-limit-'));
let fixture = 0;

/** Lays a fake /proc and /sys/fs/cgroup. */
function lay(files: Record<string, string>) {
  const base = path.join(root, String(fixture++));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.join(base, path.dirname(name)), { recursive: true });
    writeFileSync(path.join(base, name), text);
  }
  return { proc: path.join(base, 'proc'), cgroup: path.join(base, 'cgroup') };
}

afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('memory limit', () => {
  it('takes the tightest group on the way up, version 2', () => {
    const roots = lay({
      'proc/self/cgroup': '0::/pod/app\n',
      'cgroup/pod/app/memory.max': 'max\n',
      'cgroup/pod/memory.max': '256000000\n',
      'cgroup/pod/memory.current': '200000000\n',
      'cgroup/pod/memory.stat': 'anon 50\ninactive_file 150000000\n',
    });
    const limit = findMemoryLimit(roots);
    expect(limit.limit).toBe(256e6);
    expect(limit.source).toBe(path.join(roots.cgroup, 'pod'));
    expect(limit.workingSet()).toBe(50e6);
  });

  it('reads version 1, where a path outside the container falls back to what is mounted', () => {
    const roots = lay({
      'proc/self/cgroup': '4:cpu,cpuacct:/x\n9:memory:/outside/path\n',
      'cgroup/memory/memory.limit_in_bytes': '128000000\n',
      'cgroup/memory/memory.usage_in_bytes': '100000000\n',
      'cgroup/memory/memory.stat': 'total_inactive_file 40000000\n',
    });
    const limit = findMemoryLimit(roots);
    expect(limit.limit).toBe(128e6);
    expect(limit.workingSet()).toBe(60e6);
  });

  it('falls back to the machine where there is no group', () => {
    const roots = lay({
      'proc/meminfo': `MemTotal: 1 kB\nMemAvailable:  ${Math.floor(os.totalmem() / 2048)} kB\n`,
    });
    const limit = findMemoryLimit(roots);
    expect(limit).toMatchObject({ limit: os.totalmem(), source: 'machine' });
    expect(limit.workingSet() / os.totalmem()).toBeCloseTo(0.5);
  });
});
