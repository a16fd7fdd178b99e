// What a failed run or load says of its device: ONNX Runtime has one code for all that a driver refuses, and tells in words.
import type { Device } from '../contract/index.js';
import { codeOf, messageOf, SpillwayError } from '../util/errors.js';

/**
 * CUDA, its libraries, and ONNX Runtime's arena over its memory. WebGPU says nothing when a buffer is made for which there
 * is no memory, and only later, of whatever is to be done with it, that it is invalid.
 */
const NO_MEMORY =
  /CUDA failure 2:|CUDA error: out of memory|_ALLOC_FAILED|failed to allocate memory for requested buffer|smaller than requested bytes|\[Invalid Buffer[^\]]*\] is invalid/i;

/**
 * The CUDA errors after which every further call fails: the same as in native/gpu/compute.cc. WebGPU names the device in
 * brackets, waits for it in vain, or ends its instance with it.
 */
const LOST =
  /CUDA failure (?:46|214|220|226|70[029]|71[0456789]|999):|device\]? (?:is |was |has been )?lost|failed to wait for the operation|external Instance reference no longer exists/i;

/** The codes of what an engine says in words only. */
const UNTOLD: readonly (string | undefined)[] = ['ERR_ENGINE', 'ERR_DEVICE_UNAVAILABLE'];

/** `ERR_DEVICE_LOST` or `ERR_OUT_OF_MEMORY` for a run or load whose device failed; any other error as it is. */
export function deviceFailure(error: unknown, device: Device): unknown {
  if (device === 'cpu' || !UNTOLD.includes(codeOf(error))) return error;
  const message = messageOf(error);
  if (NO_MEMORY.test(message)) return new SpillwayError('ERR_OUT_OF_MEMORY', message, { cause: error });
  if (LOST.test(message)) return new SpillwayError('ERR_DEVICE_LOST', message, { cause: error });
  return error;
}
