// How a graph is loaded on each device, from the settings of its acquisition.
import { randomUUID } from 'node:crypto';
import { access, constants } from 'node:fs/promises';
import path from 'node:path';
import type { Device, LoadPlan } from '../contract/index.js';
import { native } from '../native/load.js';
import { invalidArgument, SpillwayError } from '../util/errors.js';
import type { LoadSettings } from './load-options.js';
import type { ModelBytes } from './model-source.js';
import { probeDevice } from './probe-device.js';
import { sharingNothing, sharingOf } from './shared-weights.js';

/** The plan of a load for each device it is tried on. Rejects with `ERR_INVALID_ARGUMENT` for settings that do not fit. */
export async function loadPlans(
  model: ModelBytes,
  settings: LoadSettings,
): Promise<(device: Device) => LoadPlan> {
  checkDimensions(model, settings);
  const { threads, freeDimensions, profileFolder, operatorLibraries } = settings;
  const profile = profileFolder === undefined ? '' : await profilePath(profileFolder);
  const sharing = settings.shareWeights ? sharingOf(model) : undefined;
  return (device) => {
    const concurrency = settings.concurrency ?? concurrencyFor(device, threads);
    const { cpu, elsewhere, structure } = model.kept;
    const shared = device === 'cpu' ? sharing : sharing && sharingNothing(model);
    return {
      device,
      threads,
      concurrency,
      freeDimensions,
      profile,
      operatorLibraries,
      optimise: true,
      optimisedPath: '',
      weightBytes: device === 'cpu' ? cpu - (shared?.keptBytes ?? 0) : elsewhere,
      structureBytes: structure,
      sharedWeights: shared?.weights,
    };
  };
}

/**
 * Whether the device computes at all, before a graph is blamed or a driver let into this process; and, where nobody
 * `asked` for it by its name, whether it is more than the CPU in disguise, which takes hundreds of times as long.
 */
export async function checkDevice(device: Device, asked: boolean): Promise<void> {
  if (device === 'cpu') return;
  const { problem, software } = await probeDevice(device);
  if (problem !== undefined)
    throw new SpillwayError('ERR_DEVICE_UNAVAILABLE', `${device} does not compute: ${problem}`);
  if (software !== undefined && !asked)
    throw new SpillwayError(
      'ERR_DEVICE_UNAVAILABLE',
      `${device} has no device but the CPU, by ${software}: it serves where it is asked for by its name`,
    );
}

/** As many as keep the cores busy; elsewhere one computes while the next is handed over. */
function concurrencyFor(device: Device, threads: number): number {
  return Math.max(device === 'cpu' ? 1 : 2, Math.ceil(native().cores() / threads));
}

/** ONNX Runtime ignores a size for a dimension that the graph does not have. */
function checkDimensions(model: ModelBytes, settings: LoadSettings): void {
  const known = model.freeDimensions;
  for (const { name } of settings.freeDimensions)
    if (!known.has(name))
      throw invalidArgument(
        'freeDimensions',
        known.size > 0
          ? `dimensions named ${[...known].map((free) => `'${free}'`).join(', ')}`
          : 'nothing, for the graph has no free dimensions,',
        name,
      );
}

/** How a name that nobody else has begins, in a folder that can be written to. */
async function profilePath(folder: string): Promise<string> {
  await access(folder, constants.W_OK | constants.X_OK);
  return path.join(path.resolve(folder), `profile-${randomUUID()}`);
}
