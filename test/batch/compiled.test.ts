import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const DIST = path.resolve(import.meta.dirname, '../../dist/index.js');

/** Rounds of items through a batcher with a pause and a collection after each, when none of its jobs is left. */
const SCRIPT = `
  import { Batcher } from ${JSON.stringify(DIST)};
  const item = () => ({ x: { type: 'float32', dims: [1, 4], data: new Float32Array(4) } });
  const items = Array.from({ length: 2048 }, item);
  const batcher = new Batcher({
    inputNames: ['x'], outputNames: ['x'], concurrency: 1,
    run: async () => item(),
    runRows: async (feeds, rows) => Array.from({ length: rows }, item),
  });
  for (let round = 0; round < 30; round++) {
    await Promise.all(items.map((one) => batcher.submit(one)));
    await new Promise((resolve) => setTimeout(resolve, 5));
    gc();
  }
`;

/** What V8 says it compiled, or threw away because the last object of some kind was gone. */
const line = (says: string, name: string) => new RegExp(`${says}.*\\b${name}\\b|\\b${name}\\b.*${says}`);

describe('batcher, as compiled code', () => {
  it('is not thrown away by a collection after the last job', async () => {
    const flags = ['--expose-gc', '--trace-opt', '--trace-deopt', '--input-type=module', '-e', SCRIPT];
    const { stdout } = await promisify(execFile)(process.execPath, flags, { maxBuffer: 1e8 });
    for (const name of ['submit', 'Job']) {
      expect(stdout).toMatch(line('completed optimizing', name));
      expect(stdout).not.toMatch(line('weak objects', name));
    }
  });
});
