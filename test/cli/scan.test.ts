import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lines, spillway } from '../support/cli.js';

let dir: string;

beforeAll(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'spillway-scan-cli-'));
  mkdirSync(path.join(dir, 'sub'));
  writeFileSync(path.join(dir, 'a.txt'), 'abc');
  writeFileSync(path.join(dir, 'sub', 'new\nline'), '');
  writeFileSync(Buffer.concat([Buffer.from(`${dir}/sub/`), Buffer.from([0x66, 0xff])]), '');
  symlinkSync('a.txt', path.join(dir, 'link'));
});
afterAll(() => rmSync(dir, { recursive: true }));

describe('spillway scan', () => {
  it('lists regular files', async () => {
    const { code, stdout } = await spillway(['scan', '.', '--include', '*.txt'], { cwd: dir });
    expect({ code, stdout }).toEqual({ code: 0, stdout: './a.txt\n' });
  });

  it('ends raw names with NUL', async () => {
    const { stdout } = await spillway(['scan', '.', '-0'], { cwd: dir });
    expect(stdout.split('\0').sort()).toEqual(['', './a.txt', './sub/f\ufffd', './sub/new\nline']);
  });

  it('tells type, size and the bytes of a name that is not UTF-8 as JSON', async () => {
    const { stdout } = await spillway(['scan', '.', '--json', '--stat', '--type', 'fdl'], { cwd: dir });
    const found = new Map(lines(stdout).map((line) => [line.path, line]));
    expect(found.get('./a.txt')).toMatchObject({ type: 'file', size: 3, mtimeMs: expect.any(Number) });
    expect(found.get('./link')).toMatchObject({ type: 'symlink' });
    expect(found.get('./sub')).toMatchObject({ type: 'directory' });
    expect(found.get('./sub/f\ufffd')).toMatchObject({
      pathBase64: Buffer.from('./sub/f\xff', 'latin1').toString('base64'),
    });
  });

  it('reports what cannot be looked at on standard error, and goes on', async () => {
    const { code, stdout, stderr } = await spillway(['scan', 'gone', 'a.txt'], { cwd: dir });
    expect({ code, stdout }).toEqual({ code: 1, stdout: 'a.txt\n' });
    expect(stderr).toMatch(/^gone: ENOENT: /);
  });

  it('refuses a type it does not know', async () => {
    const { code, stderr } = await spillway(['scan', '.', '--type', 'q'], { cwd: dir });
    expect(code).toBe(2);
    expect(stderr).toMatch(/--type/);
  });
});
