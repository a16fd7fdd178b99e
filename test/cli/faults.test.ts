// What happens to a run from outside is told, and the run goes on.
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { lines, start } from '../support/cli.js';
import { makePhotos } from '../support/photos.js';

const dir = mkdtempSync(path.join(os.tmpdir(), 'spillway-faults-'));
afterAll(() => rmSync(dir, { recursive: true }));

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

it('a run that was stopped for a second says so and delivers what is left', async () => {
  const photos = await makePhotos(dir, 2);
  const { child, ended, soFar } = start(['run', '-', '--no-cache', '--json'], { input: 'open' });
  child.stdin?.write(`${photos[0]}\n`);
  while (lines(soFar().stdout).length < 1) await pause(10);
  child.kill('SIGSTOP');
  await pause(1000);
  child.kill('SIGCONT');
  while (!soFar().stderr.includes('this process was stopped')) await pause(10);
  child.stdin?.end(`${photos[1]}\n`);
  const { code, stdout, stderr } = await ended;
  expect(code).toBe(0);
  expect(lines(stdout)).toHaveLength(2);
  const notes = lines<{ type: string; message?: string }>(stderr).filter(({ type }) => type === 'note');
  expect(notes.map(({ message }) => message).join()).toMatch(/no sample was taken for \d{3,5} ms/);
});
