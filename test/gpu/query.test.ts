import { describe, expect, it } from 'vitest';
import { doubled, useDouble, withDouble } from './double.js';

const GPU_0 = 'GPU-00000000-0000-0000-0000-000000000000';
const GPU_1 = 'GPU-01000000-0000-0000-0000-000000000000';

describe.runIf(doubled)('gpu.query', () => {
  useDouble();

  it('tells memory, load, heat, power, clocks, reasons and processes of a device', () => {
    const { said } = withDouble('say(gpu.query())', { FAKE_GPU_CELSIUS: '83' });
    const memory = { totalBytes: 1000, reservedBytes: 10, freeBytes: 900, usedBytes: 90 };
    const [{ devices, ...rest }] = said as [{ devices: { processes: unknown[] }[] }];
    expect(rest).toEqual({ driverVersion: '1.2.3' });
    const [{ processes, ...device }] = devices as [{ processes: unknown[] }];
    expect(device).toEqual({
      index: 0,
      cudaId: 0,
      uuid: GPU_0,
      name: 'Imaginary 1',
      memory,
      utilisationPercent: 70,
      memoryUtilisationPercent: 30,
      celsius: 83,
      slowdownCelsius: 90,
      watts: 123.456,
      wattsLimit: 700,
      graphicsMHz: 1000,
      smMHz: 1001,
      memoryMHz: 1002,
      throttleReasons: ['power-cap', 'hardware-thermal'],
      mig: false,
      slices: [],
    });
    // More than are asked for at first, one of them without a figure.
    expect(processes).toHaveLength(65);
    expect(processes.slice(0, 2)).toEqual([{ pid: 100, usedBytes: 4096 }, { pid: 101 }]);
  });

  it('leaves out what the device does not support, and asks on', () => {
    const { said } = withDouble('say(gpu.query().devices)', {
      FAKE_GPU_FAIL: 'nvmlDeviceGetTemperature=3,nvmlDeviceGetPowerUsage=4,nvmlDeviceGetMigMode=3',
    });
    const [[device]] = said as [[Record<string, unknown>]];
    expect(device).not.toHaveProperty('celsius');
    expect(device).not.toHaveProperty('watts');
    expect(device).not.toHaveProperty('mig');
    expect(device).not.toHaveProperty('error');
    expect(device).toMatchObject({ wattsLimit: 700, smMHz: 1001 });
  });

  it('gives a GPU that is lost in mid-run a typed error, and asks it nothing more', () => {
    const { said, calls } = withDouble(`
      say(gpu.query().devices[0].error ?? 'well');
      process.env.FAKE_GPU_FAIL = 'nvmlDeviceGetMemoryInfo=15';
      say(gpu.query().devices[0]);`);
    expect(said[0]).toBe('well');
    const message = 'nvmlDeviceGetMemoryInfo failed: GPU is lost';
    expect(said[1]).toEqual({
      index: 0,
      cudaId: 0,
      uuid: GPU_0,
      name: 'Imaginary 1',
      slices: [],
      error: { code: 'ERR_DEVICE_LOST', message },
    });
    expect(calls.at(-1)).toMatch(/nvmlDeviceGetMemoryInfo|cuDevice/);
    expect(calls.filter((call) => call === 'nvmlDeviceGetTemperature')).toHaveLength(1);
  });

  it('matches slices and devices with what CUDA shows, by UUID', () => {
    const { said } = withDouble(
      'say(gpu.query().devices); say(gpu.devices().devices.map(({ uuid }) => uuid))',
      {
        FAKE_GPU_COUNT: '2',
        FAKE_GPU_MIG: '1',
      },
    );
    const slice = (n: number) => `MIG-010${n}0000-0000-0000-0000-000000000000`;
    const memory = expect.objectContaining({ totalBytes: 1000 });
    expect(said[0]).toEqual([
      expect.objectContaining({ uuid: GPU_0, cudaId: 0, mig: false, slices: [] }),
      expect.objectContaining({
        uuid: GPU_1,
        mig: true,
        slices: [
          { uuid: slice(1), cudaId: 1, memory },
          { uuid: slice(2), cudaId: 2, memory },
        ],
      }),
    ]);
    expect((said[0] as object[])[1]).not.toHaveProperty('cudaId');
    expect(said[1]).toEqual([GPU_0, slice(1), slice(2)]);
  });

  it('gives devices the numbers that CUDA_VISIBLE_DEVICES gives them, by UUID', () => {
    const numbers =
      'say(gpu.query().devices.map(({ cudaId, slices }) => [cudaId, ...slices.map((slice) => slice.cudaId)]))';
    const { said } = withDouble(
      `${numbers};
       for (const list of ['2,0', 'MIG-0202,GPU-01', '1,7,0', 'GPU-07']) {
         process.env.CUDA_VISIBLE_DEVICES = list;
         ${numbers};
       }
       say(gpu.devices());`,
      { FAKE_GPU_COUNT: '3', FAKE_GPU_MIG: '1' },
    );
    expect(said.slice(0, 5)).toEqual([
      [[0], [1], [null, 2, 3]],
      [[1], [null], [null, 0, null]],
      [[null], [1], [null, null, 0]],
      [[null], [0], [null, null, null]],
      [[null], [null], [null, null, null]],
    ]);
    expect(said[5]).toEqual({ devices: [], reason: 'the CUDA driver shows no device' });
  });

  it('says why there is nothing to ask', () => {
    const { said } = withDouble(
      `say(gpu.query());
       process.env.FAKE_GPU_FAIL = ''; process.env.FAKE_GPU_COUNT = '0';
       say(gpu.query());`,
      { FAKE_GPU_FAIL: 'nvmlInit=9' },
    );
    expect(said[0]).toEqual({ devices: [], reason: 'nvmlInit failed: Driver Not Loaded' });
    const none = 'the NVIDIA management library shows no device';
    expect(said[1]).toEqual({ driverVersion: '1.2.3', devices: [], reason: none });
  });
});
