// The heat of NVIDIA GPUs, by the management library.
import type { GpuState } from '../gpu/gpu.js';
import { gpu } from '../gpu/gpu.js';
import { native } from '../native/load.js';
import type { ThermalReading, ThermalSensor } from './thermal-sensor.js';

/**
 * Where a device does not say at which temperature it slows itself down, as from Ada on: an A100 does so at 89 °C and
 * shuts itself down at 92 °C, most others some degrees later.
 */
const HARD = 90;

/**
 * Asks for the GPUs that `CUDA_VISIBLE_DEVICES` shows: others are not made cooler by what this process does. Where there
 * is none, or no addon, it reads nothing and is never asked again; the first question initialises the driver, which can
 * block for some 100 ms. A GPU that has fallen off the bus is a problem of its reading.
 */
export function nvmlSensor(): ThermalSensor {
  let absent = !native().capabilities.includes('gpu');
  /** Their numbers: one that is lost does not always say who it was. */
  const ours = new Set<number>();
  return {
    name: 'nvml',
    read() {
      if (absent) return [];
      const { devices, reason } = gpu.query();
      for (const device of devices) if (isVisible(device)) ours.add(device.index);
      if (devices.length === 0 && ours.size > 0) throw new Error(reason);
      absent = ours.size === 0;
      return devices.filter(({ index }) => ours.has(index)).map(readingOf);
    },
  };
}

/** Also where CUDA shows slices of it alone. */
function isVisible({ cudaId, slices }: GpuState): boolean {
  return cudaId !== undefined || slices.some((slice) => slice.cudaId !== undefined);
}

function readingOf({ index, celsius, throttleReasons, slowdownCelsius, error }: GpuState): ThermalReading {
  return {
    name: `GPU ${index}`,
    celsius,
    throttleReasons,
    hardCelsius: slowdownCelsius ?? HARD,
    problem: error?.message,
  };
}
