// The options of a thermal manager: checked, defaults filled in.
import * as v from 'valibot';
import { parseDuration } from '../util/durations.js';
import { invalidArgument } from '../util/errors.js';
import { parseOptions } from '../util/options.js';
import { nvmlSensor } from './nvml-sensor.js';
import { sysfsSensor } from './sysfs-sensor.js';
import type { ThermalLimits } from './thermal-limits.js';
import type { ThermalSensor } from './thermal-sensor.js';

/** Silicon does not work beyond it, and what says so is in other units. */
const MOST_CELSIUS = 150;
const MOST_INTERVAL_MS = 3600e3;

const celsius = v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(MOST_CELSIUS)));
const sensor = v.custom<ThermalSensor>((value) => {
  const { name, read } = (value ?? {}) as Partial<ThermalSensor>;
  return typeof name === 'string' && typeof read === 'function';
}, 'a sensor: { name, read() }');

const schema = v.strictObject({
  /** From here on fewer work at once; 5 °C below the hard limit unless told. */
  soft: celsius,
  /**
   * From here on nothing begins. Unless told where the hardware begins to slow itself down, by its own word (`temp*_crit`,
   * the trip points of a zone, NVML); where it says nothing 100 °C, and 90 °C for a GPU.
   */
  hard: celsius,
  /** Slowed or paused, it goes on as before once below; 5 °C below the soft limit unless told. */
  resume: celsius,
  /** Between two readings; `'1s'` unless told: heat sinks change by a few degrees in that time. */
  interval: v.optional(v.union([v.number(), v.string()]), '1s'),
  /** What is asked; the processors by sysfs and the GPUs that CUDA shows by NVML unless told. */
  sensors: v.optional(v.array(sensor)),
});

export type ThermalOptions = v.InferInput<typeof schema>;

/** Final values. */
export interface ThermalPlan {
  readonly limits: Partial<ThermalLimits>;
  readonly intervalMs: number;
  readonly sensors: readonly ThermalSensor[];
}

/** Throws `ERR_INVALID_ARGUMENT`. */
export function planThermal(options: ThermalOptions): ThermalPlan {
  const { soft, hard, resume, interval, sensors } = parseOptions(schema, options, 'ThermalManager');
  if (soft !== undefined && hard !== undefined && soft > hard)
    throw invalidArgument('ThermalManager.soft', `at most hard (${hard})`, soft);
  const above = soft ?? hard;
  if (resume !== undefined && above !== undefined && resume > above)
    throw invalidArgument('ThermalManager.resume', `at most ${above}`, resume);
  const intervalMs = parseDuration(interval, 'ThermalManager.interval');
  if (intervalMs < 1 || intervalMs > MOST_INTERVAL_MS)
    throw invalidArgument('ThermalManager.interval', '1 ms to 1 h', interval);
  return {
    limits: {
      ...(soft !== undefined && { soft }),
      ...(hard !== undefined && { hard }),
      ...(resume !== undefined && { resume }),
    },
    intervalMs,
    sensors: sensors ?? [sysfsSensor(), nvmlSensor()],
  };
}
