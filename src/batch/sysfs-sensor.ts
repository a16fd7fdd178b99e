// The heat of processors, as the kernel shows it: thermal zones and hardware monitors.
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import * as v from 'valibot';
import { codeOf, messageOf } from '../util/errors.js';
import { parseOptions } from '../util/options.js';
import type { ThermalReading, ThermalSensor } from './thermal-sensor.js';

/** A file that holds thousandths of a degree. */
interface Place {
  readonly name: string;
  readonly file: string;
  readonly hardCelsius: number | undefined;
}

/**
 * coretemp, k10temp, cpu_thermal, x86_pkg_temp, soc-thermal, bigcore0-thermal … Not acpitz, whose firmware often reads
 * nonsense, and nothing that decoding does not heat: disks, batteries, radios, the chips of the mainboard.
 */
const PROCESSORS = /cpu|core|pkg|package|soc|k\d+temp|zenpower/i;
const schema = v.strictObject({
  /** `'/sys'` unless told. */
  root: v.optional(v.pipe(v.string(), v.nonEmpty()), '/sys'),
  /** Which zones, by their `type`, and which monitors, by their `name`; those of processors unless told. */
  include: v.optional(v.instance(RegExp), PROCESSORS),
});

export type SysfsSensorOptions = v.InferInput<typeof schema>;

/** Readings of sensors that are not connected: −273, 0 K, 255. */
const PLAUSIBLE = { least: -40, most: 150 };
/** At a zone's critical trip point the kernel powers the machine off (Documentation/driver-api/thermal/sysfs-api.rst). */
const BELOW_POWER_OFF = 5;

/**
 * Reads `class/thermal/thermal_zone*` and `class/hwmon/hwmon*`. What there is, is looked for once. A monitor's
 * `temp*_crit`, and a zone's trip points `hot` and `critical`, are hard limits of their places. Throws
 * `ERR_INVALID_ARGUMENT`.
 */
export function sysfsSensor(options: SysfsSensorOptions = {}): ThermalSensor {
  const { root, include } = parseOptions(schema, options, 'sysfsSensor');
  let places: Promise<readonly Place[]> | undefined;
  return {
    name: 'sysfs',
    async read() {
      places ??= findPlaces(path.join(root, 'class'), include);
      return Promise.all((await places).map(readPlace));
    },
  };
}

async function readPlace({ name, file, hardCelsius }: Place): Promise<ThermalReading> {
  try {
    const celsius = celsiusOf(await readFile(file, 'utf8'));
    if (celsius !== undefined) return { name, celsius, hardCelsius };
    return { name, problem: 'it reads what is no temperature' };
  } catch (error) {
    // A module that was unloaded, a device that is switched off.
    return { name, problem: codeOf(error) === 'ENOENT' ? 'it is gone' : messageOf(error) };
  }
}

async function findPlaces(folder: string, include: RegExp): Promise<readonly Place[]> {
  const [zones, monitors] = await Promise.all([
    foldersIn(path.join(folder, 'thermal'), /^thermal_zone\d+$/),
    foldersIn(path.join(folder, 'hwmon'), /^hwmon\d+$/),
  ]);
  const found = await Promise.all([
    ...zones.map(async (zone) =>
      (await textOf(zone, 'type')).search(include) < 0 ? [] : [await zonePlace(zone)],
    ),
    ...monitors.map(async (monitor) =>
      (await textOf(monitor, 'name')).search(include) < 0 ? [] : monitorPlaces(monitor),
    ),
  ]);
  return found.flat();
}

async function zonePlace(zone: string): Promise<Place> {
  const name = `${path.basename(zone)} ${await textOf(zone, 'type')}`;
  const trips = (await namesIn(zone)).filter((file) => /^trip_point_\d+_type$/.test(file));
  const limits = trips.map(async (file) => {
    const celsius = celsiusOf(await textOf(zone, file.replace('type', 'temp')));
    const kind = await textOf(zone, file);
    if (celsius === undefined || !isLimit(celsius)) return Number.POSITIVE_INFINITY;
    if (kind === 'critical') return celsius - BELOW_POWER_OFF;
    return kind === 'hot' ? celsius : Number.POSITIVE_INFINITY;
  });
  const least = Math.min(...(await Promise.all(limits)));
  return { name, file: path.join(zone, 'temp'), hardCelsius: Number.isFinite(least) ? least : undefined };
}

/** Where a monitor shows the whole package, its cores are left out: they are never hotter, and can be 64 files. */
async function monitorPlaces(monitor: string): Promise<readonly Place[]> {
  const chip = `${path.basename(monitor)} ${await textOf(monitor, 'name')}`;
  const inputs = (await namesIn(monitor)).filter((file) => /^temp\d+_input$/.test(file));
  const places = await Promise.all(
    inputs.map(async (input) => {
      const label = (await textOf(monitor, input.replace('input', 'label'))) || input.replace('_input', '');
      const limit = celsiusOf(await textOf(monitor, input.replace('input', 'crit')));
      const hardCelsius = limit !== undefined && isLimit(limit) ? limit : undefined;
      return { name: `${chip} ${label}`, label, file: path.join(monitor, input), hardCelsius };
    }),
  );
  const whole = places.some(({ label }) => /^package/i.test(label));
  return whole ? places.filter(({ label }) => !/^core \d+$/i.test(label)) : places;
}

/** A limit that nothing could come near or go below is none. */
function isLimit(celsius: number): boolean {
  return celsius >= 50;
}

function celsiusOf(text: string): number | undefined {
  const celsius = /^-?\d+$/.test(text.trim()) ? Number(text) / 1000 : Number.NaN;
  return celsius >= PLAUSIBLE.least && celsius < PLAUSIBLE.most ? celsius : undefined;
}

async function foldersIn(folder: string, pattern: RegExp): Promise<readonly string[]> {
  const names = (await namesIn(folder)).filter((name) => pattern.test(name));
  return names.map((name) => path.join(folder, name));
}

/** None where the folder is not there: another system, a container without it. */
async function namesIn(folder: string): Promise<readonly string[]> {
  return (await readdir(folder).catch(() => [])).sort();
}

/** Empty where it is not there. */
async function textOf(folder: string, file: string): Promise<string> {
  return (await readFile(path.join(folder, file), 'utf8').catch(() => '')).trim();
}
