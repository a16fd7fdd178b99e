// What is asked for temperatures, and what it says.
import type { ThrottleReason } from '../contract/index.js';

/** One temperature. A reading without a figure, or with a `problem` alone, neither slows nor stops anything. */
export interface ThermalReading {
  /** Which of the sensor's it is, the same each time: `'Package id 0'`, a device's name. */
  readonly name: string;
  readonly celsius?: number | undefined;
  readonly throttleReasons?: readonly ThrottleReason[] | undefined;
  /** The hard limit of this place, where the hardware says one; the options of the manager count more. */
  readonly hardCelsius?: number | undefined;
  /** Why there is no figure. */
  readonly problem?: string | undefined;
}

/** Anything that can be asked for temperatures. */
export interface ThermalSensor {
  /** For messages. */
  readonly name: string;
  /** What it reads now. Whatever it throws is reported and costs nothing else; it is asked again once it has answered. */
  read(): readonly ThermalReading[] | Promise<readonly ThermalReading[]>;
}

/**
 * Reasons that mean heat: `thermal`, the driver keeps the device below its maximum; `hardware-thermal`, the device cut
 * its clocks by itself; `hardware-slowdown`, what drivers that do not tell these apart say of it; `power-brake`, the
 * chassis or its power supply asks for less. A `power-cap` is what a device at work runs at all day, and the others are
 * settings.
 */
const HEAT: ReadonlySet<ThrottleReason> = new Set([
  'thermal',
  'hardware-thermal',
  'hardware-slowdown',
  'power-brake',
]);

/** Of the reasons of a reading, those that mean heat. */
export function heatIn({ throttleReasons = [] }: ThermalReading): readonly ThrottleReason[] {
  return throttleReasons.filter((reason) => HEAT.has(reason));
}
