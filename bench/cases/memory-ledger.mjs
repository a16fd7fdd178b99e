// The accounts beside the kernel's own figure: half a gigabyte held by native parts, and given back.
import { setTimeout as sleep } from 'node:timers/promises';
import { feed, mlpFile } from '../harness/graphs.mjs';
import { residentMB } from '../harness/memory.mjs';

/** @typedef {import('../harness/types.js').Context} Context */

const HELD = { cacheMB: 378, layers: 8, width: 2048 };
const HELD_WEIGHTS_MB = Math.round((HELD.layers * HELD.width ** 2 * 4) / 1e6);

/** Fills a cache until it holds so much, and says what it holds. @param {import('../../dist/index.js').ByteCache} cache @param {number} bytes */
function fill(cache, bytes) {
  const value = Buffer.alloc(2 ** 16);
  for (let i = 0; i * value.length < bytes; i++) {
    value.fill(i % 251);
    if (!cache.set(`key-${i}`, value)) throw new Error('expected room in the cache');
  }
}

/**
 * What the accounts say is held beside what the kernel says, from all libraries loaded and used to memory held, and
 * what the accounts still say after it was given back.
 */
const ledger = {
  measures: [
    { metric: '% apart', better: 'lower', target: { limit: { name: 'bound', value: 3 } } },
    { name: 'after', metric: 'bytes', better: 'lower', target: { limit: { name: 'bound', value: 0 } } },
  ],
  skip: (/** @type {Context} */ { native }) =>
    native ? undefined : 'without the addon there are no native accounts',
  data: async () => ({
    small: await mlpFile({ layers: 1, width: 64 }),
    large: await mlpFile({ layers: HELD.layers, width: HELD.width }),
    label: `${HELD.cacheMB} MB in a byte cache, ${HELD_WEIGHTS_MB} MB of weights`,
  }),
  sides: {
    ours: {
      fresh: true,
      // The bytes of the model's file are garbage once it is loaded, and belong to no account.
      execArgv: ['--expose-gc'],
      open: async (/** @type {{ small: string, large: string }} */ { small, large }) => ({
        async run() {
          const { ByteCache, ModelCache } = await import('../../dist/index.js');
          const { native } = await import('../../dist/native/load.js');
          const held = () => native().ledger.held(0);
          const cache = new ByteCache({ maxBytes: HELD.cacheMB * 1.1e6 });
          const models = new ModelCache({ device: 'cpu' });
          // The libraries' own pages are there before anything is counted.
          const warm = await models.acquire(small);
          await warm.run({ x: feed(1, 64) });
          fill(cache, 1e6);
          cache.clear();
          await sleep(500);
          const before = { held: held(), resident: residentMB().now };
          fill(cache, HELD.cacheMB * 1e6);
          const model = await models.acquire(large);
          globalThis.gc?.();
          await sleep(500);
          const accounted = (held() - before.held) / 1e6;
          const resident = residentMB().now - before.resident;
          cache.clear();
          model[Symbol.dispose]();
          models.clear();
          await sleep(500);
          const after = Math.max(0, held() - before.held);
          warm[Symbol.dispose]();
          await models.close();
          return { values: { '% apart': (100 * Math.abs(accounted - resident)) / resident, bytes: after } };
        },
      }),
    },
  },
};

export const cases = [{ name: 'mem.ledger', contests: [ledger] }];
