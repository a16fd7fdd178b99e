// What a session keeps of its graph: worked out before it is loaded, charged, and true.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ModelCache } from '../../src/models/model-cache.js';
import { native } from '../../src/native/load.js';
import { chainGraph } from '../support/graphs.js';
import { overNative } from '../support/paths.js';
import { MB, WIDTH, weighty } from '../support/weighty-graphs.js';

/** A sanitizer's allocator has pages of its own beside each of ours. */
const measurable = overNative && !process.env.SPILLWAY_SANITIZER_LIBRARY;
const script = path.join(import.meta.dirname, 'load-and-measure.mjs');

describe.runIf(measurable)('the charge of a loaded graph', () => {
  let folder: string;
  const file = (name: string) => path.join(folder, `${name}.onnx`);
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'spillway-kept-'));
    await writeFile(file('warm'), weighty('convolutions of float32'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it.each(Object.keys(weighty.kinds))('is what memory grows by: %s', async (name) => {
    await writeFile(file('graph'), weighty(name));
    const child = promisify(execFile)(process.execPath, ['--expose-gc', script, file('warm'), file('graph')]);
    const { grown, bytes, charged, remains, left } = JSON.parse((await child).stdout) as Record<
      string,
      number
    >;
    const tolerance = Math.max(2 * MB, 0.05 * (grown ?? 0));
    expect(Math.abs((charged ?? 0) - (grown ?? 0))).toBeLessThan(tolerance);
    // JavaScript's heap, of which not all that it counts is touched, moves by 4.
    expect(Math.abs(remains ?? 0)).toBeLessThan(8 * MB);
    expect(bytes).toBe(charged);
    expect(left).toBe(0);
  });
});

// Without the addon a child process loads them, and says what it grew by.
describe.runIf(overNative)('weights that are made at the load', () => {
  const { ledger } = native();
  const account = ledger.account('models', 0);
  const made = WIDTH * WIDTH * 4 * weighty.layers;

  it('count for the bytes of a model, for the bound of its cache, and for what its eviction gives back', async () => {
    await using cache = new ModelCache({ engine: 'native', device: 'cpu', threads: 1, maxBytes: 1.5 * made });
    const first = await cache.acquire(weighty('weights of one number'));
    expect(first.bytes).toBeGreaterThanOrEqual(made);
    await expect(cache.acquire(weighty('rows repeated'))).rejects.toMatchObject({
      code: 'ERR_OUT_OF_MEMORY',
    });
    const { bytes } = first;
    first[Symbol.dispose]();
    (await cache.acquire(weighty('rows repeated')))[Symbol.dispose]();
    expect(cache.stats()).toMatchObject({ evictions: { room: 1 }, evictedBytes: bytes });
    expect(ledger.held(account)).toBe(cache.stats().bytes);
    cache.clear();
    await expect.poll(() => ledger.held(account)).toBe(0);
  });

  it('are refused where the ledger has no room for them, and nothing is kept', async () => {
    await using cache = new ModelCache({ engine: 'native', device: 'cpu', threads: 1 });
    const graph = weighty('weights of one number');
    (await cache.acquire(chainGraph({ layers: 1, width: 8 })))[Symbol.dispose](); // no refusal of what comes first
    const before = ledger.held(account);
    using _ = reservation(ledger, account, made);
    ledger.setLimit(account, before + 1.5 * made);
    try {
      await expect(cache.acquire(graph)).rejects.toMatchObject({
        code: 'ERR_OUT_OF_MEMORY',
        message: expect.stringMatching(/^loading the graph wanted \d+ bytes more/),
      });
    } finally {
      ledger.setLimit(account, Number.POSITIVE_INFINITY);
    }
  });

  it('are refused before the load where no budget could hold them', async () => {
    await using cache = new ModelCache({ engine: 'native', device: 'cpu', threads: 1 });
    ledger.setLimit(account, made / 2);
    try {
      await expect(cache.acquire(weighty('weights of one number'))).rejects.toMatchObject({
        code: 'ERR_BUDGET_EXCEEDED',
        message: expect.stringMatching(/^expected the model and its weights within/),
      });
    } finally {
      ledger.setLimit(account, Number.POSITIVE_INFINITY);
    }
    expect(cache.stats().loads).toBe(0);
  });
});

/** So many bytes of an account, for as long as it lives. */
function reservation(
  ledger: ReturnType<typeof native>['ledger'],
  account: number,
  bytes: number,
): Disposable {
  expect(ledger.charge(account, bytes)).toBe(true);
  return { [Symbol.dispose]: () => ledger.credit(account, bytes) };
}
