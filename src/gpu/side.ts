// The GPU side of the addon.
import type { Gpu } from '../contract/index.js';
import { native, requireCapability } from '../native/load.js';
import { invalidArgument } from '../util/errors.js';

const MAX_DEVICES = 64;

/** Throws `ERR_NATIVE_UNAVAILABLE` on the JavaScript path. */
export function gpuSide(): Gpu {
  requireCapability('gpu', 'asking for GPUs');
  return native().gpu as Gpu;
}

/** A device's number, checked. */
export function parseDevice(device: number): number {
  if (Number.isInteger(device) && device >= 0 && device < MAX_DEVICES) return device;
  throw invalidArgument('device', `a device's number from 0 to ${MAX_DEVICES - 1}`, device);
}
