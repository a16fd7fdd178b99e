// How long a run took is told by who knows it: the engine, without the wait for a turn.
import { expect, it } from 'vitest';
import { ModelCache } from '../../src/models/model-cache.js';
import { chainGraph, ones } from '../support/graphs.js';
import { overNative } from '../support/paths.js';

it('tells of each run what it took by itself, where the engine can', async () => {
  await using cache = new ModelCache({ device: 'cpu', threads: 1, concurrency: 1 });
  using model = await cache.acquire(chainGraph({ layers: 30, width: 256 }));
  const told: number[] = [];
  const timed = (ms: number) => told.push(ms);
  const start = performance.now();
  // All handed over at once: the last has waited for the nine before it.
  await Promise.all(Array.from({ length: 10 }, () => model.run({ x: ones(64, 256) }, { timed })));
  const all = performance.now() - start;
  expect(told).toHaveLength(overNative ? 10 : 0);
  for (const ms of told) expect(ms).toBeGreaterThan(0);
  expect(told.reduce((sum, ms) => sum + ms, 0)).toBeLessThanOrEqual(all);
  await expect(model.run({}, { timed })).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' });
  expect(told).toHaveLength(overNative ? 10 : 0);
});
