// NVIDIA GPUs: the driver, and ONNX Runtime's CUDA provider beside its library.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { native } from '../../native/load.js';
import { onnxruntimeLibrary } from '../engine/onnxruntime.js';
import type { Provider } from './provider.js';
import { findSharedLibrary } from './shared-library.js';

const PROVIDER = 'libonnxruntime_providers_cuda.so';

export const cuda: Provider = {
  device: 'cuda',
  recovers: false, // what a process has of it is lost for good
  unavailable() {
    const driver = driverProblem();
    if (driver) return driver;
    const folder = path.dirname(onnxruntimeLibrary());
    if (!existsSync(path.join(folder, PROVIDER)))
      return `${PROVIDER} is not in ${folder}: onnxruntime-node's install script downloads it`;
    return undefined;
  },
};

/** The addon asks the driver itself; without the addon its library must at least be there. */
function driverProblem(): string | undefined {
  const { gpu } = native();
  if (gpu) {
    const { devices, reason } = gpu.devices();
    return devices.length > 0 ? undefined : (reason ?? 'the driver shows no device');
  }
  return findSharedLibrary('libcuda.so.1') ? undefined : 'libcuda.so.1, the NVIDIA driver, is not installed';
}
