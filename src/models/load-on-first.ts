// Loads a vetted graph on the best device that takes it.
import type { Device } from '../contract/index.js';
import { codeOf, messageOf, SpillwayError } from '../util/errors.js';
import type { RejectedDevice } from './detect.js';
import type { EngineChoice } from './engine/engine.js';
import type { LoadedModel } from './model.js';
import type { ModelBytes } from './model-source.js';

/** Tries each device for real, best first; the reasons of those that failed go into the result. */
export async function loadOnFirst(
  candidates: readonly Device[],
  rejected: RejectedDevice[],
  choice: EngineChoice,
  { bytes, sha256 }: ModelBytes,
  threads: number,
): Promise<LoadedModel> {
  for (const [index, device] of candidates.entries()) {
    try {
      const session = await choice.engine.load(bytes, { device, threads });
      return { sha256, device, rejected, choice, session, inputs: session.inputs, outputs: session.outputs };
    } catch (error) {
      if (index === candidates.length - 1 || codeOf(error) === 'ERR_ABORTED') throw error;
      rejected.push({ device, reason: messageOf(error) });
    }
  }
  throw new SpillwayError('ERR_DEVICE_UNAVAILABLE', 'no device is left to try');
}
