// Every call of the drivers that can fail, failing: a typed error that names it, nothing kept, and another try works.
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { gpu } from '../../src/gpu/gpu.js';
import { overNative } from '../support/paths.js';
import { doubled, useDouble, withDouble } from './double.js';

const kernels = overNative && gpu.kernelBytes > 0;
const dir = mkdtempSync(path.join(os.tmpdir(), 'spillway-failures-'));
afterAll(() => rmSync(dir, { recursive: true }));

/** So large that every lane takes its blocks again. */
function largeFile(): string {
  const file = path.join(dir, 'large');
  writeFileSync(file, '');
  truncateSync(file, 2 ** 27);
  return file;
}

const failed = (call: string, code = 'ERR_DEVICE_LOST', name = 'CUDA_ERROR_UNKNOWN') => ({
  code,
  message: `${call} failed with ${name}`,
});

describe.runIf(doubled)('a call that fails', () => {
  useDouble();

  /** What each of `calls` makes of `work`; then that it works again and the pool is empty. */
  function failing(calls: readonly string[], work: string, setup = '') {
    return withDouble(`
      const pool = gpu.pool(0);
      ${setup}
      for (const call of ${JSON.stringify(calls)}) {
        process.env.FAKE_GPU_FAIL = call + '=999';
        say(await failure(async () => { ${work} }));
      }
      process.env.FAKE_GPU_FAIL = '';
      say(await failure(async () => { ${work} }) ?? 'works');
      say(pool.stats().allocations);`).said;
  }

  it('while a device is opened', () => {
    const calls = ['cuDevicePrimaryCtxRetain', 'cuMemPoolCreate', 'cuMemPoolSetAttribute', 'cuStreamCreate'];
    const said = failing(calls, '(await pool.allocate(8)).release()');
    expect(said).toEqual([...calls.map((call) => failed(call)), 'works', 0]);
  });

  it('while memory is allocated or given back', () => {
    const setup = '(await pool.allocate(8)).release();';
    const allocation = 'cuMemAllocFromPoolAsync';
    const said = failing([allocation, 'cuStreamSynchronize'], '(await pool.allocate(8)).release()', setup);
    expect(said).toEqual([failed(allocation), failed(allocation), 'works', 0]);
    const trimmed = failing(['cuStreamSynchronize', 'cuMemPoolTrimTo'], 'await pool.trim()', setup);
    expect(trimmed).toEqual([failed('cuStreamSynchronize'), failed('cuMemPoolTrimTo'), 'works', 0]);
  });

  it('while a file is copied', () => {
    const setup = `const memory = await pool.allocate(2 ** 27);
      const back = new Uint8Array(8);`;
    const lane = ['cuStreamCreate', 'cuMemHostAlloc', 'cuEventCreate'];
    const calls = [
      ...lane,
      'cuMemcpyHtoDAsync',
      'cuEventRecord',
      'cuEventSynchronize',
      'cuStreamSynchronize',
    ];
    const said = failing(calls, `await memory.uploadFile(${JSON.stringify(largeFile())});`, setup);
    expect(said).toEqual([...calls.map((call) => failed(call)), 'works', 1]);
    const down = ['cuMemcpyDtoHAsync', 'cuStreamSynchronize'];
    expect(failing(down, 'await memory.download(back)', setup)).toEqual([
      ...down.map((call) => failed(call)),
      'works',
      1,
    ]);
  });

  it.runIf(kernels)('while images are prepared', () => {
    const calls = [
      ...['cuModuleLoadData', 'cuModuleGetFunction', 'cuMemAllocFromPoolAsync', 'cuMemcpyHtoDAsync'],
      ...['cuEventRecord', 'cuLaunchKernel', 'cuEventElapsedTime', 'cuMemcpyDtoHAsync'],
    ];
    const said = failing(
      calls,
      `const image = { data: new Uint8Array(12), width: 2, height: 2 };
       await gpu.preprocess([image], { device: 0, width: 1, height: 1 });`,
    );
    expect(said).toEqual([...calls.map((call) => failed(call)), 'works', 0]);
  });

  it.runIf(kernels)('for want of memory for the inputs alone, and gives that for the images back', () => {
    const { said } = withDouble(
      `const image = { data: new Uint8Array(12), width: 2, height: 2 };
       say(await failure(gpu.preprocess([image], { device: 0, width: 1000, height: 1000 })));
       say(gpu.pool(0).stats());`,
      { FAKE_GPU_MEMORY: '10000' },
    );
    expect(said[0]).toMatchObject({ code: 'ERR_OUT_OF_MEMORY' });
    expect(said[1]).toMatchObject({ usedBytes: 0, allocations: 0, peakBytes: expect.any(Number) });
  });

  it('says by its code whether the device is lost, full, not there, or something else', () => {
    const lost = [46, 214, 220, 226, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719, 999];
    const codes = [1, 2, 100, 101, ...lost];
    const { said } = withDouble(`
      const memory = await gpu.pool(0).allocate(8);
      for (const code of ${JSON.stringify(codes)}) {
        process.env.FAKE_GPU_FAIL = 'cuMemcpyDtoHAsync=' + code;
        say((await failure(memory.download(new Uint8Array(8)))).code);
      }
      process.env.FAKE_GPU_FAIL = 'cuMemcpyDtoHAsync=1,cuGetErrorName=1';
      say(await failure(memory.download(new Uint8Array(8))));`);
    expect(said.slice(0, 4)).toEqual([
      'ERR_ENGINE',
      'ERR_OUT_OF_MEMORY',
      ...['ERR_DEVICE_UNAVAILABLE', 'ERR_DEVICE_UNAVAILABLE'],
    ]);
    expect(said.slice(4, -1)).toEqual(lost.map(() => 'ERR_DEVICE_LOST'));
    expect(said.at(-1)).toEqual(failed('cuMemcpyDtoHAsync', 'ERR_ENGINE', 'an unknown error'));
  });

  it('while devices are described leaves out that device, and is the reason where no other is left', () => {
    const calls = [
      'cuDeviceGet',
      'cuDeviceGetName',
      'cuDeviceGetUuid',
      'cuDeviceTotalMem',
      'cuDeviceGetAttribute',
    ];
    const { said } = withDouble(`
      for (const call of ${JSON.stringify(['cuInit', 'cuDeviceGetCount', ...calls])}) {
        process.env.FAKE_GPU_FAIL = call + '=999';
        say(gpu.devices());
      }
      process.env.FAKE_GPU_FAIL = 'cuInit=999,cuGetErrorName=1';
      say(gpu.devices());
      say(await failure(gpu.pool(0).allocate(8)));
      process.env.FAKE_GPU_FAIL = 'cuDeviceGetUuid_v2=1';
      say(gpu.devices().devices.length);
      process.env.FAKE_GPU_FAIL = '';
      say(await failure(gpu.pool(5).allocate(8)));`);
    const none = (call: string, name = 'CUDA_ERROR_UNKNOWN') => ({
      devices: [],
      reason: `${call} failed with ${name}`,
    });
    expect(said.slice(0, 8)).toEqual([
      none('cuInit'),
      none('cuDeviceGetCount'),
      ...calls.map(() => none('describing device 0')),
      none('cuInit', 'an unknown error'),
    ]);
    expect(said[8]).toEqual(failed('cuInit', 'ERR_DEVICE_UNAVAILABLE', 'an unknown error'));
    expect(said[9]).toBe(1);
    expect(said[10]).toMatchObject({ code: 'ERR_DEVICE_UNAVAILABLE', message: /^cuDeviceGet failed/ });
  });

  it('of the management library is an error of that device, and what cannot be asked is left out', () => {
    const asked = [
      ...[
        'UUID',
        'Name',
        'MemoryInfo',
        'UtilizationRates',
        'Temperature',
        'TemperatureThreshold',
        'PowerUsage',
      ],
      ...['EnforcedPowerLimit', 'ClockInfo', 'CurrentClocksThrottleReasons', 'ComputeRunningProcesses'],
      ...['MigMode', 'MaxMigDeviceCount', 'MigDeviceHandleByIndex'],
    ].map((what) => `nvmlDeviceGet${what}`);
    const { said } = withDouble(
      `for (const code of [999, 15, 16, 3, 4, 6])
         for (const call of ${JSON.stringify(['nvmlDeviceGetHandleByIndex', ...asked])}) {
           process.env.FAKE_GPU_FAIL = call + '=' + code;
           say(gpu.query().devices[0].error?.code ?? 'well');
         }
       process.env.FAKE_GPU_FAIL = 'nvmlDeviceGetHandleByIndex=4';
       say(gpu.query().devices[0].error);
       process.env.FAKE_GPU_FAIL = 'nvmlDeviceGetCount=1,nvmlErrorString=1,nvmlSystemGetDriverVersion=1';
       say(gpu.query());`,
      { FAKE_GPU_MIG: '1' },
    );
    const all = asked.length + 1;
    const unavailable = 'ERR_DEVICE_UNAVAILABLE';
    expect(said.slice(0, all)).toEqual(Array(all).fill(unavailable));
    expect(said.slice(all, 3 * all)).toEqual(Array(2 * all).fill('ERR_DEVICE_LOST'));
    const passedOver = [unavailable, ...asked.map(() => 'well')];
    expect(said.slice(3 * all, -2)).toEqual([...passedOver, ...passedOver, ...passedOver]);
    expect(said.at(-2)).toEqual({ code: unavailable, message: 'this process may not open the device' });
    expect(said.at(-1)).toEqual({ devices: [], reason: 'nvmlDeviceGetCount failed: unknown error' });
  });
});
