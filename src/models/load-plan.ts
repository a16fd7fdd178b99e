// How a graph is loaded on each device, from the settings of its acquisition.
import { randomUUID } from 'node:crypto';
import { access, constants } from 'node:fs/promises';
import path from 'node:path';
import type { Device, LoadPlan } from '../contract/index.js';
import { native } from '../native/load.js';
import { invalidArgument } from '../util/errors.js';
import type { LoadSettings } from './load-options.js';
import type { ModelBytes } from './model-source.js';
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

/** As many as keep the cores busy; on another device one computes while the next is handed over. */
function concurrencyFor(device: Device, threads: number): number {
  return device === 'cpu' ? Math.ceil(native().cores() / threads) : 2;
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
