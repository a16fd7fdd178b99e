// What concerns the child process of the stock engine.
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ModelCache } from '../../src/models/model-cache.js';
import { slowFeed, slowGraph, twoOutputsGraph } from '../support/graphs.js';
import { overNative } from '../support/paths.js';
import { childrenOf } from '../support/stock-children.js';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

// The same on both paths: once is enough.
describe.skipIf(overNative)('the stock engine', () => {
  let cache: ModelCache;
  beforeEach(() => {
    cache = new ModelCache({ engine: 'stock', device: 'cpu', threads: 1 });
  });
  afterEach(() => cache.close());

  it('rejects what was pending when its child is killed, and loads anew in another', async () => {
    using model = await cache.acquire(slowGraph());
    const pending = model.run(slowFeed());
    for (const pid of await childrenOf(process.pid)) process.kill(pid, 'SIGKILL');
    await expect(pending).rejects.toMatchObject({
      code: 'ERR_ENGINE',
      message: expect.stringContaining('SIGKILL'),
    });
    await expect(model.run(slowFeed())).rejects.toMatchObject({ code: 'ERR_ENGINE' });
    using anew = await cache.acquire(slowGraph());
    expect((await anew.run(slowFeed())).y?.dims).toEqual([384, 384]);
    expect(cache.stats().loads).toBe(2);
  });

  it('ends its child when it is closed, and tells what the child took', async () => {
    using _ = await cache.acquire(twoOutputsGraph());
    const { childRssBytes, peakChildRssBytes } = cache.stats();
    expect(childRssBytes).toBeGreaterThan(20e6);
    expect(peakChildRssBytes).toBeGreaterThanOrEqual(childRssBytes);
    expect(await childrenOf(process.pid)).toHaveLength(1);
    await cache.close();
    for (let i = 0; i < 200 && (await childrenOf(process.pid)).length > 0; i++) await sleep(10);
    expect(await childrenOf(process.pid)).toEqual([]);
    expect(cache.stats().childRssBytes).toBe(0);
    expect(cache.stats().peakChildRssBytes).toBeGreaterThanOrEqual(peakChildRssBytes);
  });

  it('neither keeps its parent alive nor outlives it', async () => {
    const { stdout } = await run(
      process.execPath,
      [fileURLToPath(new URL('./leave-cache-open.mjs', import.meta.url))],
      { env: { ...process.env, SPILLWAY_NATIVE: 'off' }, timeout: 20_000 },
    );
    const child = Number(stdout);
    expect(child).toBeGreaterThan(0);
    const command = () => readFile(`/proc/${child}/cmdline`, 'utf8').catch(() => '');
    for (let i = 0; i < 500 && (await command()).includes('stock-child'); i++) await sleep(10);
    expect(await command()).not.toContain('stock-child');
  });

  it('says how to install onnxruntime-node where it is missing', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'spillway-missing-'));
    try {
      await cp(path.join(ROOT, 'dist'), path.join(folder, 'dist'), { recursive: true });
      await mkdir(path.join(folder, 'node_modules'));
      for (const name of ['valibot', 'lru-cache', 'node-gyp-build'])
        await symlink(path.join(ROOT, 'node_modules', name), path.join(folder, 'node_modules', name));
      await writeFile(path.join(folder, 'package.json'), '{"type":"module"}');
      const graph = Buffer.from(twoOutputsGraph()).toString('base64');
      const script = `const { ModelCache } = await import('./dist/models/model-cache.js');
        await new ModelCache().acquire(Buffer.from('${graph}', 'base64')).catch((error) => console.log(error.code, error.message));`;
      const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], { cwd: folder });
      expect(stdout).toMatch(
        /^ERR_MISSING_DEPENDENCY running a model needs the package onnxruntime-node: install it with `npm install onnxruntime-node`/,
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
