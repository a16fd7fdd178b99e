// Loads a vetted graph on the best device that takes it.
import { randomUUID } from 'node:crypto';
import { access, constants } from 'node:fs/promises';
import path from 'node:path';
import type { Device } from '../contract/index.js';
import { native } from '../native/load.js';
import { codeOf, invalidArgument, messageOf, SpillwayError } from '../util/errors.js';
import type { RejectedDevice } from './detect.js';
import type { EngineChoice } from './engine/engine.js';
import type { LoadSettings } from './load-options.js';
import type { LoadedModel } from './model.js';
import type { ModelBytes } from './model-source.js';
import { probeDevice } from './probe-device.js';

/** Tries each device for real, best first; the reasons of those that failed go into the result. */
export async function loadOnFirst(
  candidates: readonly Device[],
  rejected: RejectedDevice[],
  choice: EngineChoice,
  model: ModelBytes,
  settings: LoadSettings,
): Promise<LoadedModel> {
  const { bytes, sha256 } = model;
  checkDimensions(model, settings);
  const { threads, freeDimensions, profileFolder, operatorLibraries } = settings;
  const profile = profileFolder === undefined ? '' : await profilePath(profileFolder);
  for (const [index, device] of candidates.entries()) {
    try {
      await checkDevice(device);
      const concurrency = settings.concurrency ?? concurrencyFor(device, threads);
      const plan = { device, threads, concurrency, freeDimensions, profile, operatorLibraries };
      const session = await choice.engine.load(bytes, plan);
      return { sha256, device, rejected, choice, session, inputs: session.inputs, outputs: session.outputs };
    } catch (error) {
      if (index === candidates.length - 1 || codeOf(error) === 'ERR_ABORTED') throw error;
      rejected.push({ device, reason: messageOf(error) });
    }
  }
  throw new SpillwayError('ERR_DEVICE_UNAVAILABLE', 'no device is left to try');
}

/** Whether the device computes at all, before a graph is blamed or a driver let into this process. */
async function checkDevice(device: Device): Promise<void> {
  const problem = device === 'cpu' ? undefined : await probeDevice(device);
  if (problem !== undefined)
    throw new SpillwayError('ERR_DEVICE_UNAVAILABLE', `${device} does not compute: ${problem}`);
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
