// The heat of GPUs, by a management library that says what the environment tells it to.
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { nvmlSensor } from '../../src/batch/nvml-sensor.js';
import { overNative } from '../support/paths.js';
import { doubled, useDouble, withDouble } from './double.js';

const dist = (file: string) => JSON.stringify(path.resolve(import.meta.dirname, '../../dist', file));
const SETUP = `
  import { ThermalManager } from ${dist('batch/thermal.js')};
  import { nvmlSensor } from ${dist('batch/nvml-sensor.js')};
  const manager = new ThermalManager({ sensors: [nvmlSensor()] });
  const feel = async (settings = {}) => {
    Object.assign(process.env, settings);
    await manager.sample();
    const { state, reason, problems, places } = manager.summary();
    say({ state, reason, problems, celsius: places.map(({ celsius }) => celsius) });
  };`;
const QUIET = { FAKE_GPU_THROTTLE: '4' };

it.runIf(!overNative)('reads nothing without the addon', () => {
  expect(nvmlSensor().read()).toEqual([]);
});

describe.runIf(doubled)('the sensor of GPUs', () => {
  useDouble();

  it('slows where the device comes near to slowing itself down, pauses there, and lets go below', () => {
    const { said } = withDouble(
      `${SETUP}
       for (const celsius of [84, 85, 90, 80, 79]) await feel({ FAKE_GPU_CELSIUS: String(celsius) });`,
      QUIET,
    );
    expect(said).toMatchObject([
      { state: 'cool', celsius: [84] },
      {
        state: 'warm',
        reason: 'nvml GPU 0 is at 85 °C: slowed from 85 °C on, until it is below 80 °C',
      },
      { state: 'hot', reason: 'nvml GPU 0 is at 90 °C: paused from 90 °C on, until it is below 80 °C' },
      { state: 'hot' },
      { state: 'cool', problems: [] },
    ]);
  });

  it('goes by the temperature that the device names, and by ours where it names none', () => {
    const { said } = withDouble(
      `${SETUP}
       await feel({ FAKE_GPU_CELSIUS: '70', FAKE_GPU_SLOWDOWN: '70' });
       await feel({ FAKE_GPU_CELSIUS: '30' });
       await feel({ FAKE_GPU_CELSIUS: '89', FAKE_GPU_SLOWDOWN: '0' });
       await feel({ FAKE_GPU_CELSIUS: '90', FAKE_GPU_FAIL: 'nvmlDeviceGetTemperatureThreshold=3' });`,
      QUIET,
    );
    expect(said).toMatchObject([{ state: 'hot' }, { state: 'cool' }, { state: 'warm' }, { state: 'hot' }]);
  });

  it('slows while the device throttles itself for heat', () => {
    const { said } = withDouble(`${SETUP}
      await feel(); await feel({ FAKE_GPU_THROTTLE: '4' });
      await feel({ FAKE_GPU_THROTTLE: '32', FAKE_GPU_FAIL: 'nvmlDeviceGetTemperature=3' });`);
    expect(said).toMatchObject([
      {
        state: 'warm',
        reason: 'nvml GPU 0 is at 50 °C and throttles itself (hardware-thermal): slowed until it does not',
      },
      { state: 'cool' },
      { state: 'warm', reason: 'nvml GPU 0 and throttles itself (thermal): slowed until it does not' },
    ]);
  });

  it('asks for what CUDA shows alone, slices included', () => {
    const { said } = withDouble(
      `${SETUP} await feel(); process.env.CUDA_VISIBLE_DEVICES = 'MIG-0102';
       const other = new ThermalManager({ sensors: [nvmlSensor()] });
       await other.sample(); say(other.summary().places.map(({ name }) => name));`,
      { ...QUIET, FAKE_GPU_COUNT: '2', FAKE_GPU_MIG: '1' },
    );
    expect(said[0]).toMatchObject({ celsius: [50, 50] });
    expect(said[1]).toEqual(['GPU 1']);
  });

  it('says that a GPU was lost, throws nothing, and lets work go on', () => {
    const { said } = withDouble(
      `${SETUP}
       await feel({ FAKE_GPU_CELSIUS: '95' });
       process.env.FAKE_GPU_FAIL = 'nvmlDeviceGetMemoryInfo=15';
       for (let i = 0; i < 4; i++) await feel();
       process.env.FAKE_GPU_FAIL = 'nvmlDeviceGetHandleByIndex=15';
       await feel();
       process.env.FAKE_GPU_FAIL = 'nvmlDeviceGetCount=999';
       await feel();`,
      QUIET,
    );
    const lost = ['nvml GPU 0: nvmlDeviceGetMemoryInfo failed: GPU is lost'];
    expect(said).toMatchObject([
      { state: 'hot', problems: [] },
      { state: 'hot', problems: lost },
      { state: 'hot', problems: lost },
      { state: 'hot', problems: lost },
      { state: 'cool', problems: lost, celsius: [] },
      { problems: ['nvml GPU 0: nvmlDeviceGetHandleByIndex failed: GPU is lost'] },
      { problems: ['nvml cannot be read: nvmlDeviceGetCount failed: Other'] },
    ]);
  });

  it('does not hold a run for a GPU that falls off the bus while the run is paused for it', () => {
    const samples = path.resolve(import.meta.dirname, '../../samples/broken');
    const { said } = withDouble(
      `import { scan, Spillway, workloads } from ${dist('index.js')};
       const spillway = await Spillway.open({ thermal: { interval: 5 } });
       await spillway.thermal.sample();
       say(spillway.thermal.state);
       setTimeout(() => { process.env.FAKE_GPU_FAIL = 'nvmlDeviceGetHandleByIndex=15' }, 20);
       const results = [];
       for await (const { path } of spillway.run(scan(${JSON.stringify(samples)}, { stat: true }), workloads.metadata()))
         results.push(path);
       say(results.length);
       await spillway.close();
       say(spillway.thermal.summary().problems.filter((problem) => problem.startsWith('nvml')));`,
      { ...QUIET, FAKE_GPU_CELSIUS: '95' },
    );
    const problem = 'nvml GPU 0: nvmlDeviceGetHandleByIndex failed: GPU is lost';
    expect(said).toEqual(['hot', 2, [problem]]);
  });

  it('is not asked again where there was no device', () => {
    const { said, calls } = withDouble(`${SETUP} await feel(); await feel();`, { FAKE_GPU_COUNT: '0' });
    expect(said).toMatchObject([
      { state: 'cool', problems: [] },
      { state: 'cool', problems: [] },
    ]);
    expect(calls.filter((call) => call === 'nvmlDeviceGetCount')).toHaveLength(1);
  });
});
