import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { overNative } from '../support/paths.js';
import { doubled, doubleFolder, useDouble } from './double.js';

const SCRIPT = path.resolve(import.meta.dirname, '../../scripts/gpu-check');
const CASES = ['gpu.query', 'gpu.pool', 'gpu.copy', 'gpu.preprocess', 'gpu.infer'];

function check(args: string[], settings: Readonly<Record<string, string>>) {
  const env = { ...process.env, ...settings };
  const child = spawnSync(process.execPath, [SCRIPT, ...args], { env, encoding: 'utf8' });
  const lines = child.stdout.split('\n').filter((line) => line !== '');
  return { status: child.status, lines: lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

describe('scripts/gpu-check', () => {
  it('says of every case why it does not run where there is no GPU, and succeeds', () => {
    const { status, lines } = check([], { SPILLWAY_NATIVE: 'off' });
    expect(lines.map((line) => line.case)).toEqual(CASES);
    for (const { skipped } of lines) expect(skipped).toMatch(/SPILLWAY_NATIVE=off/);
    expect(status).toBe(0);
  });

  it('refuses a case that it does not have', () => {
    expect(check(['gpu.other'], {})).toEqual({ status: 2, lines: [] });
  });

  // What is measured are the addon's runs; without it all cases say so, as above.
  it.runIf(overNative)('measures inference on the CPU in a dry run', () => {
    const { status, lines } = check(['gpu.infer'], { SPILLWAY_GPU_CHECK_DEVICE: 'cpu' });
    const figures = lines.map(({ case: name, metric, skipped }) => [name, metric ?? skipped]);
    const busy = 'a dry run keeps no GPU busy';
    expect(figures).toEqual([
      ['gpu.infer.cpu.mlp', 'items/s'],
      ['gpu.infer.cpu.mlp.utilisation', busy],
      ['gpu.infer.cpu.mlp.parity', 'relative-difference'],
      ['gpu.infer.cpu.conv', 'items/s'],
      ['gpu.infer.cpu.conv.utilisation', busy],
      ['gpu.infer.cpu.conv.parity', 'relative-difference'],
    ]);
    const [rates] = lines as [{ peers: object }];
    expect(Object.keys(rates.peers).sort()).toEqual(['best-fixed', 'one-by-one']);
    for (const line of lines.filter(({ metric }) => metric === 'relative-difference'))
      expect(line).toMatchObject({ pass: true });
    expect(status).toBe(0);
  });

  it.runIf(overNative)('says why a device is not measured that cannot be used', () => {
    const { status, lines } = check(['gpu.infer'], {
      SPILLWAY_GPU_CHECK_DEVICE: 'webgpu',
      LD_LIBRARY_PATH: '/nowhere',
    });
    expect(lines).toEqual([{ case: 'gpu.infer', skipped: expect.stringMatching(/^webgpu: /) }]);
    expect(status).toBe(0);
  });

  // The double stands for a driver, which only the addon asks, and needs a compiler.
  describe.runIf(doubled)('with a device', () => {
    useDouble();

    it('prints a line of the benchmarks for a case', () => {
      const { status, lines } = check(['gpu.pool'], {
        LD_LIBRARY_PATH: doubleFolder,
        FAKE_GPU_MEMORY: String(4 * 2 ** 30),
      });
      expect(lines).toEqual([
        expect.objectContaining({ case: 'gpu.pool', metric: 'bytes', better: 'lower', pass: true, runs: 3 }),
      ]);
      expect(status).toBe(0);
    });

    it('fails where a case does', () => {
      const settings = { LD_LIBRARY_PATH: doubleFolder, FAKE_GPU_FAIL: 'cuMemPoolCreate=999' };
      const { status, lines } = check(['gpu.pool'], settings);
      expect(lines).toEqual([expect.objectContaining({ case: 'gpu.pool', code: 'ERR_DEVICE_LOST' })]);
      expect(status).toBe(1);
    });
  });
});
