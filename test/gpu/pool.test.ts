import { describe, expect, it } from 'vitest';
import { gpu } from '../../src/gpu/gpu.js';
import { overNative } from '../support/paths.js';
import { doubled, useDouble, withDouble } from './double.js';

const refusal = (code: string) => expect.objectContaining({ code });

describe.runIf(overNative)('the pool of a device', () => {
  it('has figures before the device is used, and takes a limit', () => {
    const pool = gpu.pool(63);
    const none = { usedBytes: 0, peakBytes: 0, reservedBytes: 0, allocations: 0 };
    expect(pool.stats()).toMatchObject({ ...none, limitBytes: Number.POSITIVE_INFINITY });
    pool.setLimit('2GiB');
    expect(pool.stats().limitBytes).toBe(2 ** 31);
    pool.setLimit(Number.POSITIVE_INFINITY);
    expect(() => gpu.pool(64)).toThrow(refusal('ERR_INVALID_ARGUMENT'));
    expect(() => gpu.pool(0.5)).toThrow(refusal('ERR_INVALID_ARGUMENT'));
    expect(() => pool.setLimit(-1)).toThrow(refusal('ERR_INVALID_ARGUMENT'));
  });

  it('refuses sizes that are none', async () => {
    await expect(gpu.pool(0).allocate(0)).rejects.toThrow(refusal('ERR_INVALID_ARGUMENT'));
  });
});

describe.runIf(doubled)('device memory', () => {
  useDouble();

  it('is charged exactly, kept for reuse when released, and given back by a trim', () => {
    const { said, calls } = withDouble(`
      const pool = gpu.pool(0);
      const blocks = [await pool.allocate(1000), await pool.allocate('40MiB'), await pool.allocate(24)];
      say(pool.stats());
      blocks[0].release(); blocks[0].release(); blocks[1][Symbol.dispose]();
      say(pool.stats());
      say(await gpu.trim()); say(pool.stats());`);
    const MIB = 2 ** 20;
    const accounts = { buffers: { bytes: 40 * MIB + 1024, reserved: 0, peak: 40 * MIB + 1024 } };
    expect(said[0]).toMatchObject({
      usedBytes: 40 * MIB + 1024,
      reservedBytes: 64 * MIB,
      allocations: 3,
      accounts,
    });
    expect(said[1]).toMatchObject({
      usedBytes: 24,
      peakBytes: 40 * MIB + 1024,
      reservedBytes: 64 * MIB,
      allocations: 1,
    });
    expect(said[2]).toBe(32 * MIB);
    expect(said[3]).toMatchObject({ usedBytes: 24, reservedBytes: 32 * MIB });
    // Whoever gets memory may use it on any stream: each allocation is waited for.
    const pairs = calls.flatMap((call, i) => (call === 'cuMemAllocFromPoolAsync' ? [calls[i + 1]] : []));
    expect(pairs).toEqual(['cuStreamSynchronize', 'cuStreamSynchronize', 'cuStreamSynchronize']);
    expect(calls.filter((call) => call === 'cuDevicePrimaryCtxRetain')).toHaveLength(1);
  });

  it('is refused past the limit without asking the driver', () => {
    const { said, calls } = withDouble(`
      const pool = gpu.pool(0);
      pool.setLimit(1000);
      const held = await pool.allocate(600);
      say(await failure(pool.allocate(401)));
      say((await pool.allocate(400)).bytes); say(pool.stats());`);
    expect(said[0]).toMatchObject({ code: 'ERR_BUDGET_EXCEEDED' });
    expect(said[1]).toBe(400);
    expect(said[2]).toMatchObject({ usedBytes: 1000, limitBytes: 1000 });
    expect(calls.filter((call) => call === 'cuMemAllocFromPoolAsync')).toHaveLength(2);
  });

  it('that the device does not have is a typed error after one trim, and is not charged', () => {
    const { said, calls } = withDouble(
      'say(await failure(gpu.pool(0).allocate(5000))); say(gpu.pool(0).stats())',
      { FAKE_GPU_MEMORY: '4000' },
    );
    const message = 'cuMemAllocFromPoolAsync failed with CUDA_ERROR_OUT_OF_MEMORY';
    expect(said[0]).toEqual({ code: 'ERR_OUT_OF_MEMORY', message });
    expect(said[1]).toMatchObject({ usedBytes: 0, allocations: 0 });
    expect(calls.filter((call) => /Alloc|Trim/.test(call))).toEqual([
      'cuMemAllocFromPoolAsync',
      'cuMemPoolTrimTo',
      'cuMemAllocFromPoolAsync',
    ]);
  });

  it('of a device that is lost in mid-run is a typed error; the figures stay right and the CPU goes on', () => {
    const { said } = withDouble(`
      const pool = gpu.pool(0);
      const held = await pool.allocate(100);
      process.env.FAKE_GPU_FAIL = 'cuMemAllocFromPoolAsync=999,cuStreamSynchronize=700,cuMemFreeAsync=999';
      say(await failure(pool.allocate(50))); say(await failure(pool.trim())); say(await failure(held.download(new Uint8Array(8))));
      held.release(); say(pool.stats());
      const image = { data: new Uint8Array(12).fill(255), width: 2, height: 2 };
      say(await gpu.preprocess([image], { device: 'cpu', width: 1, height: 1 }));`);
    expect(said[0]).toMatchObject({ code: 'ERR_DEVICE_LOST', message: /CUDA_ERROR_UNKNOWN/ });
    expect(said[1]).toMatchObject({ code: 'ERR_DEVICE_LOST', message: /CUDA_ERROR_ILLEGAL_ADDRESS/ });
    expect(said[2]).toMatchObject({ code: 'ERR_DEVICE_LOST' });
    expect(said[3]).toMatchObject({ usedBytes: 0, allocations: 0 });
    expect(said[4]).toMatchObject({ dims: [1, 3, 1, 1], data: [1, 1, 1] });
  });

  it('has functions of its own for ONNX Runtime on each device', () => {
    const { said } = withDouble('say(gpu.pool(0).externalAllocator()); say(gpu.pool(1).externalAllocator())');
    const names = ['gpu_external_alloc', 'gpu_external_free', 'gpu_external_empty_cache'];
    const addresses = said.flatMap((one) => names.map((name) => (one as Record<string, string>)[name]));
    for (const address of addresses) expect(address).toMatch(/^[1-9]\d+$/);
    expect(new Set(addresses).size).toBe(6);
  });
});
