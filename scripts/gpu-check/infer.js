// gpu.infer: inference on a GPU against one by one. No engine of ours runs graphs on a GPU yet.
import { library, SkippedError } from './machine.js';

export async function checkInfer() {
  const { deviceCandidates } = await library('models/detect.js');
  const { candidates, rejected } = look(deviceCandidates);
  const usable = candidates.filter((device) => device !== 'cpu');
  if (usable.length > 0) throw new SkippedError(`no measure is written yet for ${usable.join(' and ')}`);
  throw new SkippedError(rejected.map(({ device, reason }) => `${device}: ${reason}`).join('; '));
}

function look(deviceCandidates) {
  try {
    return deviceCandidates('auto');
  } catch (error) {
    if (error.code === 'ERR_MISSING_DEPENDENCY') throw new SkippedError(error.message);
    throw error;
  }
}
