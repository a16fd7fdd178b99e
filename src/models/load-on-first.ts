// Tries devices for real, best first; one load at a time on each.
import type { Device } from '../contract/index.js';
import { codeOf, messageOf, SpillwayError } from '../util/errors.js';
import { Turns } from '../util/turns.js';
import type { RejectedDevice } from './detect.js';

/** Where another device would not help. */
const FINAL = new Set(['ERR_ABORTED', 'ERR_BUDGET_EXCEEDED', 'ERR_CLOSED']);

// Of all caches of this thread: a load takes more than what it leaves behind, and two at once meet at their peaks.
const turns = new Map<Device, Turns>();

/** What `load` gives on the first device that takes it; the reasons of those that failed go into `rejected`. */
export async function loadOnFirst<T>(
  candidates: readonly Device[],
  rejected: RejectedDevice[],
  load: (device: Device) => Promise<T>,
): Promise<T> {
  for (const [index, device] of candidates.entries()) {
    try {
      return await inTurn(device, () => load(device));
    } catch (error) {
      if (index === candidates.length - 1 || FINAL.has(codeOf(error) ?? '')) throw error;
      rejected.push({ device, reason: messageOf(error) });
    }
  }
  throw new SpillwayError('ERR_DEVICE_UNAVAILABLE', 'no device is left to try');
}

/** Does `work` behind the loads on a device that were asked for before. */
export function inTurn<T>(device: Device, work: () => Promise<T>): Promise<T> {
  const onDevice = turns.get(device) ?? new Turns(() => 1);
  turns.set(device, onDevice);
  return onDevice.run(work);
}
