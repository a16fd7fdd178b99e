// The heat of processors, over a folder that looks like /sys.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sysfsSensor } from '../../src/batch/sysfs-sensor.js';
import { ThermalManager } from '../../src/batch/thermal.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(path.join(os.tmpdir(), 'spillway-sysfs-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function write(folder: string, files: Readonly<Record<string, string | number>>): void {
  const at = path.join(root, 'class', folder);
  mkdirSync(at, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(at, name), `${text}\n`);
}

describe('the sensor of processors', () => {
  it('reads zones and monitors of processors, in degrees, with the limits of the hardware', async () => {
    write('thermal/thermal_zone0', { type: 'acpitz', temp: 16800 });
    write('thermal/thermal_zone1', { type: 'x86_pkg_temp', temp: 61500, trip_point_0_type: 'passive' });
    write('thermal/thermal_zone2', {
      type: 'cpu-thermal',
      temp: -5000,
      trip_point_0_type: 'passive',
      trip_point_0_temp: 80000,
      trip_point_1_type: 'critical',
      trip_point_1_temp: 110000,
      trip_point_2_type: 'hot',
      trip_point_2_temp: 0,
    });
    write('thermal/cooling_device0', { type: 'Processor' });
    write('hwmon/hwmon0', { name: 'nvme', temp1_input: 70000, temp1_label: 'Composite' });
    write('hwmon/hwmon1', {
      name: 'coretemp',
      temp1_input: 62000,
      temp1_label: 'Package id 0',
      temp1_crit: 100000,
      temp2_input: 60000,
      temp2_label: 'Core 0',
      temp2_crit: 100000,
    });
    write('hwmon/hwmon2', { name: 'k10temp', temp1_input: 55250, temp1_label: 'Tctl', temp3_input: 50000 });
    expect(await sysfsSensor({ root }).read()).toEqual([
      { name: 'thermal_zone1 x86_pkg_temp', celsius: 61.5 },
      { name: 'thermal_zone2 cpu-thermal', celsius: -5, hardCelsius: 105 },
      { name: 'hwmon1 coretemp Package id 0', celsius: 62, hardCelsius: 100 },
      { name: 'hwmon2 k10temp Tctl', celsius: 55.25 },
      { name: 'hwmon2 k10temp temp3', celsius: 50 },
    ]);
  });

  it('reads others where asked to', async () => {
    write('thermal/thermal_zone0', { type: 'x86_pkg_temp', temp: 50000 });
    write('hwmon/hwmon0', { name: 'nvme', temp1_input: 70000, temp1_label: 'Composite' });
    const readings = await sysfsSensor({ root, include: /^nvme$/g }).read();
    expect(readings).toEqual([{ name: 'hwmon0 nvme Composite', celsius: 70 }]);
  });

  it('passes over what is gone, cannot be read or makes no sense, and says so', async () => {
    write('thermal/thermal_zone0', { type: 'cpu0', temp: 50000 });
    write('thermal/thermal_zone1', { type: 'cpu1', temp: 51000 });
    write('thermal/thermal_zone2', { type: 'cpu2', temp: -273150 });
    write('thermal/thermal_zone3', { type: 'cpu3', temp: 'N/A' });
    mkdirSync(path.join(root, 'class/thermal/thermal_zone4/temp'), { recursive: true });
    write('thermal/thermal_zone4', { type: 'cpu4' });
    const manager = new ThermalManager({ sensors: [sysfsSensor({ root })] });
    await manager.sample();
    rmSync(path.join(root, 'class/thermal/thermal_zone0/temp'));
    await manager.sample();
    const { problems, places } = manager.summary();
    expect(problems).toEqual([
      'sysfs thermal_zone0 cpu0: it is gone',
      'sysfs thermal_zone2 cpu2: it reads what is no temperature',
      'sysfs thermal_zone3 cpu3: it reads what is no temperature',
      expect.stringMatching(/^sysfs thermal_zone4 cpu4: EISDIR/),
    ]);
    expect(places.map(({ name, celsius }) => [name, celsius])).toEqual([
      ['thermal_zone0 cpu0', 50],
      ['thermal_zone1 cpu1', 51],
    ]);
  });

  it('slows and pauses by what the kernel reads', async () => {
    write('hwmon/hwmon0', { name: 'k10temp', temp1_input: 95000, temp1_crit: 90000 });
    const manager = new ThermalManager({ sensors: [sysfsSensor({ root })] });
    await manager.sample();
    expect(manager.state).toBe('hot');
    write('hwmon/hwmon0', { temp1_input: 79000 });
    await manager.sample();
    expect(manager.state).toBe('cool');
    write('hwmon/hwmon0', { temp1_input: 86000 });
    await manager.sample();
    expect(manager.reason).toBe(
      'sysfs hwmon0 k10temp temp1 is at 86 °C: slowed from 85 °C on, until it is below 80 °C',
    );
  });

  it('reads nothing where there is nothing, here and on other systems', async () => {
    expect(await sysfsSensor({ root }).read()).toEqual([]);
    expect(await sysfsSensor({ root: path.join(root, 'nowhere') }).read()).toEqual([]);
    for (const { celsius } of await sysfsSensor().read()) expect(celsius ?? 0).toBeLessThan(150);
  });

  it('refuses options that it does not have', () => {
    const error = expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' });
    expect(() => sysfsSensor({ root: 5 as never })).toThrow(error);
    expect(() => sysfsSensor({ include: 'cpu' as never })).toThrow(error);
  });
});
