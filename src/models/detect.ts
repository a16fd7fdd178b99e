// Which device a model would run on.
import type { Device } from '../contract/index.js';
import { invalidArgument, SpillwayError } from '../util/errors.js';
import { providers } from './providers/index.js';

/** A device, or `'auto'` for the best one that works. */
export type DeviceChoice = Device | 'auto';

/** A device that was passed over, and why. */
export interface RejectedDevice {
  readonly device: Device;
  readonly reason: string;
}

/** The devices worth trying, best first, and those that are not. */
export interface DeviceCandidates {
  readonly candidates: readonly Device[];
  readonly rejected: readonly RejectedDevice[];
}

/**
 * The devices a load will try for `prefer`, in order, without loading anything. Throws `ERR_DEVICE_UNAVAILABLE`
 * where a device is asked for by name that this machine cannot use.
 */
export function deviceCandidates(prefer: DeviceChoice): DeviceCandidates {
  const considered = providers.filter(({ device }) => prefer === 'auto' || prefer === device);
  if (considered.length === 0) throw invalidArgument('device', "'auto', 'cuda', 'webgpu' or 'cpu'", prefer);
  const candidates: Device[] = [];
  const rejected: RejectedDevice[] = [];
  for (const provider of considered) {
    const reason = provider.unavailable();
    if (reason === undefined) candidates.push(provider.device);
    else rejected.push({ device: provider.device, reason });
  }
  if (candidates.length === 0)
    throw new SpillwayError(
      'ERR_DEVICE_UNAVAILABLE',
      `expected device ${prefer} to be usable but ${rejected.map(({ reason }) => reason).join('; ')}`,
    );
  return { candidates, rejected };
}

/** Whether a device that failed computes again once no session is left on it. */
export function recovers(device: Device): boolean {
  return providers.some((provider) => provider.device === device && provider.recovers);
}

/**
 * The device that looks best, and why the better ones were passed over. A look at drivers and libraries only: a
 * load tries the device for real and may still go on to the next. Throws like {@link deviceCandidates}.
 */
export function detectDevice(prefer: DeviceChoice = 'auto'): {
  readonly device: Device;
  readonly rejected: readonly RejectedDevice[];
} {
  const { candidates, rejected } = deviceCandidates(prefer);
  return { device: candidates[0] as Device, rejected };
}
