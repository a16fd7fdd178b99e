// The memory that ONNX Runtime's CUDA provider takes from our pool, asked for as it does.
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { buildLibrary } from '../support/native-library.js';
import { doubled, useDouble, withDouble } from './double.js';

describe.runIf(doubled)('the memory of ONNX Runtime', () => {
  useDouble();

  it('is charged to an account of its own, refused past the limit, and used again once the device is idle', () => {
    const flags = ['-I', path.resolve(import.meta.dirname, '../../node_modules/node-api-headers/include')];
    const addon = buildLibrary('call-allocator', { name: 'call-allocator.node', flags });
    const { said, calls } = withDouble(`
      import { createRequire } from 'node:module';
      const outside = createRequire('/')(${JSON.stringify(addon)});
      const pool = gpu.pool(0);
      const { gpu_external_alloc, gpu_external_free, gpu_external_empty_cache } = pool.externalAllocator();
      pool.setLimit(1000);
      const block = outside.allocate(gpu_external_alloc, 600n);
      say(block !== 0n);
      say(pool.stats());
      say(outside.allocate(gpu_external_alloc, 401n) === 0n);
      outside.free(gpu_external_free, 0n);
      outside.free(gpu_external_free, 12345n);
      outside.free(gpu_external_free, block);
      say(pool.stats());
      outside.empty(gpu_external_empty_cache);
      say(pool.stats().reservedBytes);`);
    const ort = { ort: { bytes: 600, reserved: 0, peak: 600 } };
    expect(said[0]).toBe(true);
    expect(said[1]).toMatchObject({ usedBytes: 600, allocations: 1, accounts: ort });
    expect(said[2]).toBe(true);
    expect(said[3]).toMatchObject({ usedBytes: 0, allocations: 0, reservedBytes: 2 ** 25 });
    expect(said[4]).toBe(0);
    // Others may still work on it.
    const freed = calls.filter((call) => /cuCtxSynchronize|cuMemFreeAsync|cuMemPoolTrimTo/.test(call));
    expect(freed).toEqual(['cuCtxSynchronize', 'cuCtxSynchronize', 'cuMemFreeAsync', 'cuMemPoolTrimTo']);
  });
});
