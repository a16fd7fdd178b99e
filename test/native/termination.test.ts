// In a worker that is being terminated every call into the environment may fail, from one to the next. Workers that
// call the addon without a pause meet that moment; under AddressSanitizer what such a call leaves unset has no luck.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { account } from '../read/support.js';
import { overNative } from '../support/paths.js';

const RUNS = Number(process.env.SPILLWAY_LIFECYCLE_RUNS || 12);
const dist = (file: string) => JSON.stringify(new URL(`../../dist/${file}`, import.meta.url).href);

const CALLS = {
  'a promise': `native().openChunkReader({ path: Buffer.from('/dev/null'), chunkBytes: 4096, start: 0, end: 1, slots: 1,
      sha256: false, account: workerData, lend: true }).next();`,
  'a task': 'native().trim();',
  'a lent buffer': `cache.set('key', value); cache.lease('key').release(); cache.get('key'); cache.stats();`,
  'a new object': `native().openCache({ name: '', maxBytes: 1e6, ttlMs: 0, manualClock: false });`,
};

it.runIf(overNative).each(Object.entries(CALLS))(
  'a worker terminated while it asks for %s harms nobody',
  async (_, call) => {
    const { id } = account();
    const source = `import { parentPort, workerData } from 'node:worker_threads';
      import { ByteCache } from ${dist('cache/byte-cache.js')};
      import { native } from ${dist('native/load.js')};
      const cache = new ByteCache({ maxBytes: '1MB' });
      const value = new Uint8Array(5000);
      parentPort.postMessage('begun');
      for (;;) { ${call} }`;
    for (let i = 0; i < RUNS; i++) {
      const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
        workerData: id,
      });
      await once(worker, 'message');
      expect(await worker.terminate()).toBe(1);
    }
  },
);
