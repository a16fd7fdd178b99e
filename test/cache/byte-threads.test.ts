// One cache in many threads, and threads that end in the middle.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { ByteCache } from '../../src/cache/byte-cache.js';
import { overNative } from '../support/paths.js';
import { freshName } from './byte-support.js';

const ROUNDS = Number(process.env.SPILLWAY_TEARDOWN_RUNS || 12);
const DIST = new URL('../../dist/cache/byte-cache.js', import.meta.url).href;

function inWorker(body: string, workerData: unknown): Promise<unknown> {
  const source = `import { parentPort, workerData } from 'node:worker_threads';
    import { ByteCache } from ${JSON.stringify(DIST)};
    try { parentPort.postMessage(await (async () => { ${body} })()); }
    catch (error) { parentPort.postMessage(error.code ?? String(error)); }`;
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), { workerData });
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

// Sharing between threads is the addon's alone; what the JavaScript path does instead has its own test below.
describe('a named cache in worker threads', () => {
  it.runIf(overNative)('is the same cache', async () => {
    const name = freshName();
    const cache = new ByteCache({ name, maxBytes: '2MB' });
    cache.set('here', new Uint8Array([1, 2]));
    const seen = await inWorker(
      `const cache = new ByteCache({ name: workerData, maxBytes: '2MB' });
       cache.set('there', new Uint8Array([3]));
       return cache.get('here');`,
      name,
    );
    expect(seen).toEqual(new Uint8Array([1, 2]));
    expect(cache.get('there')).toEqual(new Uint8Array([3]));
    expect(await inWorker(`new ByteCache({ name: workerData, maxBytes: '3MB' })`, name)).toBe(
      'ERR_INVALID_ARGUMENT',
    );
  });

  it.runIf(overNative)('outlives the worker that made it', async () => {
    const name = freshName();
    await inWorker(
      `const cache = new ByteCache({ name: workerData, maxBytes: '2MB' });
       cache.set('a', new Uint8Array([5]));
       globalThis.held = cache.lease('a');`,
      name,
    );
    const cache = new ByteCache({ name, maxBytes: '2MB' });
    expect(cache.get('a')).toEqual(new Uint8Array([5]));
    for (let i = 0; i < 200 && cache.stats().leases > 0; i++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    expect(cache.stats().leases).toBe(0);
  });

  it.runIf(overNative)(
    'is unharmed by workers that are terminated in the middle of a call',
    async () => {
      const script = fileURLToPath(new URL('./byte-terminate.mjs', import.meta.url));
      const { stdout } = await promisify(execFile)(process.execPath, [script, String(ROUNDS)]);
      expect(stdout).toMatch(/^ok \d+\n$/);
      // Some were terminated while they held leases, else their return was not tested.
      expect(Number(stdout.split(' ')[1])).toBeGreaterThan(0);
    },
    10_000 + ROUNDS * 3000,
  );

  it.runIf(!overNative)('needs the addon; a private one does not', async () => {
    expect(await inWorker(`new ByteCache({ name: 'shared', maxBytes: '2MB' })`, null)).toBe(
      'ERR_NATIVE_UNAVAILABLE',
    );
    const own = `const cache = new ByteCache({ maxBytes: '2MB' }); return cache.set('a', new Uint8Array(1));`;
    expect(await inWorker(own, null)).toBe(true);
  });
});
