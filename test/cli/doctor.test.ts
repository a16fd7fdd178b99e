import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { spillway } from '../support/cli.js';
import { overNative } from '../support/paths.js';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'spillway-doctor-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

describe('spillway doctor', () => {
  it('exits 0 where the main job can run, a line for each finding, and leaves nothing behind', async () => {
    const { code, stdout, stderr } = await spillway(['doctor'], { cwd: dir });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(
      overNative ? /^ok +native addon +.*\.node$/m : /^warning +native addon .*JavaScript/m,
    );
    expect(stdout).toMatch(/^ok +sharp +\d+\.\d+/m);
    expect(stdout).toMatch(/^ready: /m);
    expect(existsSync(path.join(dir, '.spillway'))).toBe(false);
  });

  it('exits 1 and names what is missing and its remedy', async () => {
    symlinkSync('.', path.join(dir, 'link'));
    const { code, stdout } = await spillway(['doctor', '--cache', 'link'], { cwd: dir });
    expect(code).toBe(1);
    expect(stdout).toMatch(/^missing +cache folder .*symbolic link.*\n +→ .*--cache/m);
    expect(stdout).toMatch(/^not ready: cache folder$/m);
  });

  it('prints one JSON document with --json', async () => {
    const { code, stdout } = await spillway(['doctor', '--json'], { cwd: dir });
    expect(code).toBe(0);
    const { ready, findings, facts } = JSON.parse(stdout) as {
      ready: boolean;
      findings: { name: string; status: string }[];
      facts: { cores: { value: { usable: number } } };
    };
    expect(ready).toBe(true);
    expect(findings.every(({ status }) => ['ok', 'warning', 'missing'].includes(status))).toBe(true);
    expect(facts.cores.value.usable).toBeGreaterThanOrEqual(1);
  });
});
