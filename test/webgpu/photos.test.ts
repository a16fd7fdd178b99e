// Photos whose graph computes on a real WebGPU device, also one that is lost on the way.
import path from 'node:path';
import { afterEach, expect, it } from 'vitest';
import type { Device } from '../../src/contract/index.js';
import type { Result } from '../../src/pipeline/workload.js';
import { scan } from '../../src/scan/scan.js';
import { Spillway } from '../../src/spillway.js';
import { photos } from '../../src/workloads/photos.js';
import { fail } from './support.js';

const SAMPLES = path.join(import.meta.dirname, '../../samples');

let spillway: Spillway;
afterEach(() => spillway.close());

/** `begun` is called before each file but the first. */
async function run(device: Device, begun = () => {}) {
  spillway = await Spillway.open({ device });
  const source = scan(SAMPLES, { stat: true, include: ['*.jpg'] });
  const running = spillway.run(source, photos({ maxBatch: 1 }), { workers: 1 });
  const results: Result[] = [];
  for await (const result of running) {
    results.push(result);
    begun();
  }
  results.sort((a, b) => (a.path < b.path ? -1 : 1));
  return { results, served: running.stats().served };
}

it('gives what the CPU gives', async () => {
  const expected = await run('cpu');
  await spillway.close();
  const { results, served } = await run('webgpu');
  expect(results.length).toBeGreaterThan(2);
  expect(results).toEqual(expected.results);
  expect(served).toMatchObject({ device: 'webgpu', engine: 'native' });
  expect(served).not.toHaveProperty('fallback');
});

it('goes on on the CPU when the device is lost', async () => {
  const expected = await run('cpu');
  await spillway.close();
  const { results, served } = await run('webgpu', () => fail('vkQueueSubmit', '1+'));
  expect(results).toEqual(expected.results);
  expect(served).toMatchObject({
    device: 'webgpu',
    fallback: {
      device: 'cpu',
      code: 'ERR_DEVICE_LOST',
      message: expect.stringContaining('[Device] is lost'),
    },
  });
});
